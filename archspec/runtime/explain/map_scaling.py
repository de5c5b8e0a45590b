"""From the map of a layer to the size of the image, and the text of a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import visible

Array = npt.NDArray[np.float32]


def upsampled(maps: Array, size: tuple[int, int]) -> Array:
    """Maps (..., h, w) enlarged to (..., H, W), bilinear: the cells of a map are taken to tile the image evenly."""
    import tensorflow as tf

    if maps.shape[-2:] == size:
        return maps
    flat = maps.reshape(-1, *maps.shape[-2:], 1)
    large: Array = tf.image.resize(flat, size, method="bilinear").numpy()
    return large.reshape(*maps.shape[:-2], *size)


def class_title(name: str, probability: float) -> str:
    """`cat 93.1 %`."""
    return f"{visible(name)} {100 * probability:.1f} %"


def class_numbers(names: Sequence[str], number: int, logits: Array, probabilities: Array) -> dict[str, object]:
    """Of a class of one image, for explain.json."""
    return {
        "class": names[number],
        "class_number": int(number),
        "probability": float(probabilities[number]),
        "logit": float(logits[number]),
    }
