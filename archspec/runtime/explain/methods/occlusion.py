"""Occlusion sensitivity (Zeiler & Fergus 2014, section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.declare import POSITIVE, arg, choice, declared, optional
from archspec.diagnostics import fail
from archspec.runtime.explain.baseline import LEVELS, uniform_input
from archspec.runtime.explain.class_activation import spatial_layer
from archspec.runtime.explain.explain_method import CLASSES, SPATIAL_LAYER, ExplainMethod
from archspec.runtime.explain.explanation import ExplainedImage, Panel
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.map_scaling import Array, class_numbers, class_title
from archspec.runtime.explain.open_layer import OpenLayer
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.wording import option

Corners = npt.NDArray[np.int32]
"""Top and left of each position of the square (n, 2), pixels."""


def corners(size: tuple[int, int], side: int, stride: int) -> tuple[list[int], list[int]]:
    """The tops and lefts of a square that moves by `stride`; the last one touches the border."""
    tops, lefts = (
        sorted({*range(0, length - side + 1, stride), max(length - side, 0)}) for length in (size[0], size[1])
    )
    return tops, lefts


def covered_mean(values: Array, tops: Sequence[int], lefts: Sequence[int], side: int, size: tuple[int, int]) -> Array:
    """At each pixel (H, W), the mean of the values (rows, columns) over the positions that cover it."""
    total, count = np.zeros(size), np.zeros(size)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            square = np.s_[top : top + side, left : left + side]
            total[square] += values[row, column]
            count[square] += 1
    # a stride larger than the square leaves gaps
    mean: Array = np.divide(total, count, out=np.full(size, np.nan), where=count > 0).astype(np.float32)
    return mean


@declared
class Occlusion(ExplainMethod):
    """Occlusion: the class probability while a grey square hides part of the image (Zeiler & Fergus 2014, section 4.2).

    One map for each class, dark where the class needs the hidden part, and one of the strongest feature map of a layer:
    the sum of its activations. Each pixel shows the mean over the squares that cover it.
    """

    name = "occlusion"
    one_at_a_time = True

    classes: tuple[str, ...] = CLASSES
    size: int | None = arg(optional(POSITIVE), "side of the square, pixels; by default a seventh of the image", None)
    stride: int | None = arg(optional(POSITIVE), "step of the square, pixels; by default a quarter of its side", None)
    fill: str = arg(choice(*LEVELS), "color of the square", "grey")
    layer: str | None = SPATIAL_LAYER

    def check(self, network: OpenNetwork) -> None:
        spatial_layer(network, self.layer)
        network.targets(self.classes)

    def explained_layer(self, network: OpenNetwork) -> str | None:
        return spatial_layer(network, self.layer).path

    def explain_batch(self, network: OpenNetwork, batch: ImageBatch) -> Sequence[ExplainedImage]:
        place = spatial_layer(network, self.layer)
        height, width = batch.x.shape[1:3]
        side = self.size or max(1, round(min(height, width) / 7))
        if side > min(height, width):
            fact = f"a square of {side} pixels is larger than the image, {height} x {width}"
            raise fail("bad-option", fact, help=f"give {option('size')} a smaller value")
        stride = self.stride or max(1, side // 4)
        tops, lefts = corners((height, width), side, stride)
        logits, probabilities = network.predict(batch.x)
        numbers = network.targets(self.classes).of(probabilities)
        cover = uniform_input(network, LEVELS[self.fill], batch.x.shape[1:])
        grid: Corners = np.array([(top, left) for top in tops for left in lefts], np.int32)
        found = []
        for row, name in enumerate(batch.names):
            sums = _responses(network, batch.x[row : row + 1], place)[1][0]
            channel = int(np.argmax(sums))
            seen, activity = occluded(network, batch.x[row], grid, side, cover, place)
            maps = [(number, seen[:, number]) for number in numbers[row]]
            panels = []
            for number, values in maps:
                raw = values.reshape(len(tops), len(lefts))
                lowest = grid[int(np.argmin(values))]
                facts = {
                    **class_numbers(network.class_names, number, logits[row], probabilities[row]),
                    "lowest_probability": float(values.min()),
                    "lowest_at": {"top": int(lowest[0]), "left": int(lowest[1]), "side": side},
                }
                title = class_title(network.class_names[number], probabilities[row, number])
                text = f"{title}, {100 * values.min():.1f} % with the square at {lowest[0]}, {lowest[1]}"
                pixels = covered_mean(raw, tops, lefts, side, (height, width))
                panels.append(Panel(title, pixels, "heat", "probability", raw, facts, text, from_zero=False))
            raw = activity[:, channel].reshape(len(tops), len(lefts))
            pixels = covered_mean(raw, tops, lefts, side, (height, width))
            facts = {"channel": channel, "activity": float(sums[channel])}
            title = f"channel {channel} of {place.path}"
            panels.append(Panel(title, pixels, "heat", "sum of activations", raw, facts, title, from_zero=False))
            found.append(ExplainedImage(name, batch.labels[row], batch.pixels[row], tuple(panels)))
        return found


def occluded(
    network: OpenNetwork, x: Array, grid: Corners, side: int, cover: Array, place: OpenLayer
) -> tuple[Array, Array]:
    """Probabilities (n, classes) and sums of the feature maps of a layer (n, C), for each position of the square.

    The image x is (H, W, C). `network.batch_size` copies of it are in memory at a time.
    """
    parts = []
    for start in range(0, len(grid), network.batch_size):
        copies = np.repeat(x[None], len(grid[start : start + network.batch_size]), axis=0)
        for copy, (top, left) in zip(copies, grid[start : start + network.batch_size], strict=True):
            square = np.s_[top : top + side, left : left + side]
            copy[square] = cover[square]
        parts.append(_responses(network, copies, place))
    probabilities, sums = zip(*parts, strict=True)
    return np.concatenate(probabilities), np.concatenate(sums)


def _responses(network: OpenNetwork, x: Array, place: OpenLayer) -> tuple[Array, Array]:
    """Probabilities (B, classes) and sums of the feature maps of a layer (B, C), in one forward pass."""
    import tensorflow as tf

    def make(tf: Any) -> Any:
        @tf.function(autograph=False, input_signature=[network.signature(tf)])  # type: ignore[untyped-decorator]
        def responses(x: Any) -> Any:
            (features,) = network.run({network.input_index(): x}, [place.call])
            _, probabilities = network.scores(tf, {network.input_index(): x, place.call: features})
            return probabilities, tf.reduce_sum(tf.cast(features, tf.float32), list(range(1, len(features.shape) - 1)))

        return responses

    probabilities, sums = network.compiled(tf, ("responses", place.call), make)(x)
    return probabilities.numpy(), sums.numpy()
