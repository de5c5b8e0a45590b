"""Generated images of one shape each, whose place is known, and networks trained on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.context import Arrays, LabContext
from archspec.runtime.labs.generated import SHAPES, GeneratedImages, shapes
from archspec.runtime.labs.lab_data import Split

CLASSES = SHAPES[:4]
SPLITS = ("train", "test")
Change = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int64], np.random.Generator], npt.NDArray[np.uint8]]
"""Changes images (N, H, W, C) of these classes (N,)."""


def drawn(count: int, seed: int, noise: float) -> GeneratedImages:
    """Images with one of four shapes in any color."""
    of = {"shape": CLASSES, "texture": ("plain",)}
    return shapes(count, np.random.default_rng(seed), of=of, noise=noise)


def train_and_test(options: Mapping[str, Any]) -> tuple[GeneratedImages, GeneratedImages]:
    """As many images as the options `train` and `test` say, with `noise`."""
    train, test = (drawn(int(options[name]), seed, float(options["noise"])) for seed, name in enumerate(SPLITS))
    return train, test


def splits(train: GeneratedImages, test: GeneratedImages, change: Change | None = None) -> tuple[Split, Split]:
    """Pixels and labels of both, the training images changed."""
    pixels, labels = train.pixels, train.factors["shape"]
    if change is not None:
        pixels = change(pixels, labels, np.random.default_rng([*b"change"]))  # not the numbers of `drawn`
    return (pixels, labels.astype(np.int32)), (test.pixels, test.factors["shape"].astype(np.int32))


def measured(
    context: LabContext, name: str, make: Callable[[], tuple[Split, Split]], measure: Callable[[Path], Arrays]
) -> list[Arrays]:
    """Train the network `shapes` of the lab with each seed on images of its own, and measure each run.

    Args:
        name: of the data, the runs and the parts.
        make: the training and test images.
        measure: from the run directory to arrays.
    """
    data, found = context.dataset(name, make, CLASSES), []
    for seed in context.seeds:
        context.note(f"{name}, seed {seed}")
        run = context.train(
            context.networks["shapes"], name=name, seed=seed, data=data, epochs=int(context.options["epochs"])
        )
        context.note(f"looking into the network {name}, seed {seed}")
        found.append(context.finished(f"{name}-{seed}", partial(measure, run)))
    return found


def inside_boxes(images: GeneratedImages) -> npt.NDArray[np.bool_]:
    """Which pixels lie in the box around the shape, (N, H, W)."""
    height, width = images.pixels.shape[1:3]
    rows, columns = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    left, top, right, bottom = (images.boxes[:, side, None, None] for side in range(4))
    found: npt.NDArray[np.bool_] = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return found
