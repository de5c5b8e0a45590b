"""What the methods of the input gradient share: a gradient averaged over noisy copies, and a panel for each class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import AT_LEAST_0, arg
from archspec.runtime.explain.backward_rules import PLAIN, BackwardRule
from archspec.runtime.explain.explanation import ExplainedImage, Kind, Panel
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.map_scaling import Array, class_numbers, class_title
from archspec.runtime.explain.open_network import OpenNetwork

NOISE = arg(
    AT_LEAST_0,
    "standard deviation of the noise of `samples`, as a share of the range of values in the network's input",
    0.15,
)


def averaged_gradient(
    network: OpenNetwork,
    x: Array,
    classes: npt.NDArray[np.integer[Any]],
    *,
    samples: int = 1,
    noise: float = 0.15,
    rule: BackwardRule = PLAIN,
) -> Array:
    """The gradient of one logit for each image (B, H, W, C), averaged over noisy copies of the images (SmoothGrad).

    With one sample it is the gradient at the image itself. The noise is the same in every call.
    """
    if samples == 1:
        return network.input_gradient(x, classes, rule)[1]
    total = np.zeros(x.shape, np.float64)
    for noisy in zip(*(noisy_copies(each, samples, noise) for each in x), strict=True):
        total += network.input_gradient(np.stack(noisy), classes, rule)[1]
    return (total / samples).astype(np.float32)


def noisy_copies(x: Array, samples: int, noise: float) -> Iterator[Array]:
    """Copies of one input with normal noise, the same in every call; the input itself for one sample."""
    if samples == 1:
        yield x
        return
    generator = np.random.default_rng(0)
    deviation = noise * float(x.max() - x.min())
    for _ in range(samples):
        yield x + np.float32(deviation) * generator.standard_normal(x.shape, np.float32)


def explained_by_class(
    network: OpenNetwork,
    batch: ImageBatch,
    classes: Sequence[str],
    gradient: Callable[[npt.NDArray[np.integer[Any]]], Array],
    reduce: Callable[[Array], Array],
    kind: Kind,
    unit: str,
) -> list[ExplainedImage]:
    """A panel for each chosen class of each image.

    Args:
        gradient: class numbers (B,) -> signed maps (B, H, W, C).
        reduce: a signed map (H, W, C) -> the values that are drawn, (H, W) or (H, W, C).
    """
    logits, probabilities = network.predict(batch.x)
    numbers = network.targets(classes).of(probabilities)
    maps = [gradient(column) for column in numbers.T]
    found = []
    for row, name in enumerate(batch.names):
        panels, notes = [], []
        for raw, number in zip(maps, numbers[row], strict=True):
            title = class_title(network.class_names[number], probabilities[row, number])
            values = reduce(raw[row]).astype(np.float32)
            facts = class_numbers(network.class_names, number, logits[row], probabilities[row])
            panel = Panel(title, values, kind, unit, raw[row], facts)
            if panel.is_zero:
                notes.append(f"the map of `{network.class_names[number]}` is zero everywhere: all gradients are zero")
            panels.append(panel)
        found.append(ExplainedImage(name, batch.labels[row], batch.pixels[row], tuple(panels), notes=tuple(notes)))
    return found
