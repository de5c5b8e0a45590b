"""The views of images in batches of one size, and the averages of their softmax outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.protocols import ViewSet
from archspec.protocols.crops import Pair
from archspec.runtime.data.images import Images
from archspec.runtime.evaluation.inference.memory_budget import MemoryBudget, memory_budget
from archspec.runtime.evaluation.inference.predictor import Predict, Predictor
from archspec.runtime.evaluation.inference.rescale import rescaled_images

DEFAULT_VIEW = 224 * 224
"""Pixels of a view that the batch size counts for a network of free input size."""

Array = npt.NDArray[np.float32]


def view_steps(
    network: Predictor, images: Images, rows: npt.NDArray[np.int64], plan: Sequence[ViewSet], batch_size: int
) -> Iterator[tuple[npt.NDArray[np.int64], Array]]:
    """(rows, posteriors) of a few images at a time: as many as have a batch of views together, at least one.

    Dense batches are smaller where memory is short, and an image that does not fit is processed in tiles.

    Args:
        batch_size: views of the network's input size; batches of larger views have fewer, with as many pixels.

    Raises:
        ArchspecError: `image-too-large`, before any image is decoded.
    """
    scales = list(dict.fromkeys((size, views.window) for views in plan for size in views.sizes))
    height, width = network.input_shape[:2]
    pixel_limit = batch_size * (height * width if height and width else DEFAULT_VIEW)
    batches = _ViewBatches(network, plan, pixel_limit, memory_budget(network, images, rows.tolist(), plan))
    chunk: list[int] = []
    pixels = 0
    for row, scaled in zip(
        rows.tolist(), rescaled_images(images, rows.tolist(), scales, int(network.input_shape[-1] or 0)), strict=True
    ):
        by_scale = dict(zip(scales, scaled, strict=True))
        more = sum(views.pixels(by_scale[size, views.window].shape[:2]) for views in plan for size in views.sizes)
        if chunk and pixels + more > pixel_limit:
            yield np.array(chunk), batches.posteriors(len(chunk))
            chunk, pixels = [], 0
        for views in plan:
            for size in views.sizes:
                batches.add(views, len(chunk), by_scale[size, views.window])
        chunk.append(row)
        pixels += more
    if chunk:
        yield np.array(chunk), batches.posteriors(len(chunk))


class _View(NamedTuple):
    """A view that waits for its batch."""

    pixels: Array
    mirrored: bool
    image: int
    weight: float
    """In the average of its image."""


class _ViewBatches:
    """The views of some images, until `posteriors` predicts them in batches of views of one size."""

    def __init__(self, network: Predictor, plan: Sequence[ViewSet], pixel_limit: int, memory: MemoryBudget) -> None:
        self.network, self.plan, self.pixel_limit, self.memory = network, plan, pixel_limit, memory
        for views in plan:
            if views.dense:
                network.of_images(views.average)  # raises before an image is decoded
        self._waiting: dict[tuple[Predict, Pair, int], list[_View]] = {}

    def add(self, views: ViewSet, image: int, pixels: Array) -> None:
        """Add the views of one image (H, W, C) at one scale."""
        sides: Pair = pixels.shape[0], pixels.shape[1]
        height, width = views.extent(sides)
        most = max(1, self.pixel_limit // (height * width))
        predict = self.network.of_crops
        if views.dense:
            fit = self.memory.views(height * width)
            whole = fit >= self.network.strategy.num_replicas_in_sync
            predict = (self.network.of_images if whole else self.network.in_tiles)(views.average)
            most = max(1, int(min(most, fit)))
        queue = self._waiting.setdefault((predict, (height, width), most), [])
        for top, left in views.places(sides):
            view = pixels[top : top + height, left : left + width]
            for mirrored in (False, True)[: 1 + views.flip]:
                queue.append(_View(view, mirrored, image, 1 / (views.passes * len(self.plan))))

    def posteriors(self, images: int) -> Array:
        """The mean over the views of each view set, and over the view sets: (images, classes)."""
        total = np.zeros((images, self.network.classes))
        predicted = []
        for (predict, _, most), queue in self._waiting.items():
            batches = -(-len(queue) // most)
            for batch in range(batches):  # of equal sizes, up to one view
                views = queue[len(queue) * batch // batches : len(queue) * (batch + 1) // batches]
                x = np.stack([each.pixels[:, ::-1] if each.mirrored else each.pixels for each in views])
                predicted.append((views, predict(x)))  # asynchronous on a GPU
        for views, outputs in predicted:
            for view, output in zip(views, np.asarray(outputs), strict=True):
                total[view.image] += view.weight * output
        self._waiting = {}
        return total.astype(np.float32)
