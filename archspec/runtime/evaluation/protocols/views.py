"""The views of images in batches of one size, and the averages of their softmax outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.protocols import ViewSet
from archspec.runtime.data.images import Images
from archspec.runtime.evaluation.protocols.memory_budget import Room, room
from archspec.runtime.evaluation.protocols.predictor import Classifier
from archspec.runtime.evaluation.protocols.rescale import rescaled_images

USUAL_INPUT = 224 * 224
"""Pixels of a view by which the batches of a network of free size are measured."""

Way = tuple[str, str]
"""`crops`, `dense` or `tiles`, and how a dense network's map is averaged."""
Array = npt.NDArray[np.float32]


def view_steps(
    network: Classifier, images: Images, rows: npt.NDArray[np.int64], parts: Sequence[ViewSet], batch_size: int
) -> Iterator[tuple[npt.NDArray[np.int64], Array]]:
    """(rows, posteriors) of a few images at a time: no more views than a batch has, or those of a single image.

    batch_size: views of the size of the input; of larger ones there are fewer, so that the pixels stay the same.

    Views of the dense network are fewer where memory is short; one that does not fit is taken in tiles.

    Raises ArchspecError: `image-too-large`, before any image is decoded.
    """
    scales = list(dict.fromkeys((size, part.window) for part in parts for size in part.sizes))
    functions: dict[Way, Callable[[Any], Any]] = {}
    for part in parts:
        if part.dense:
            functions["dense", part.average] = network.of_images(part.average)
            functions["tiles", part.average] = network.in_tiles(part.average)
        else:
            functions["crops", ""] = network.of_crops
    height, width = network.input_shape[:2]
    budget = batch_size * (height * width if height and width else USUAL_INPUT)
    replicas: int = network.strategy.num_replicas_in_sync
    views = _Views(functions, budget, room(network, images, rows.tolist(), parts), replicas)
    chunk: list[int] = []
    pixels = 0
    for row, scaled in zip(
        rows.tolist(), rescaled_images(images, rows.tolist(), scales, int(network.input_shape[-1] or 0)), strict=True
    ):
        by_scale = dict(zip(scales, scaled, strict=True))
        more = sum(part.pixels(by_scale[size, part.window].shape[:2]) for part in parts for size in part.sizes)
        if chunk and pixels + more > budget:
            yield np.array(chunk), views.posteriors(len(chunk), len(parts), network.classes)
            chunk, pixels = [], 0
        for part in parts:
            for size in part.sizes:
                views.add(part, len(chunk), by_scale[size, part.window])
        chunk.append(row)
        pixels += more
    if chunk:
        yield np.array(chunk), views.posteriors(len(chunk), len(parts), network.classes)


class _Views:
    """The views of some images, until `posteriors` computes them in batches of views of one size."""

    def __init__(self, functions: dict[Way, Callable[[Any], Any]], budget: int, room: Room, replicas: int) -> None:
        self.functions, self.budget, self.room, self.replicas = functions, budget, room, replicas
        self._waiting: dict[Any, list[tuple[Array, bool, int, float]]] = {}

    def add(self, part: ViewSet, image: int, pixels: Array) -> None:
        """The views of one image (H, W, C) at one scale."""
        height, width = part.extent(pixels.shape[:2])
        most = max(1, self.budget // (height * width))
        way: Way = ("crops", "")
        if part.dense:
            fit = self.room.views(height * width)
            way = ("dense" if fit >= self.replicas else "tiles", part.average)
            most = max(1, int(min(most, fit)))
        queue = self._waiting.setdefault((way, (height, width), most), [])
        for top, left in part.places(pixels.shape[:2]):
            view = pixels[top : top + height, left : left + width]
            for mirrored in (False, True)[: 1 + part.flip]:
                queue.append((view, mirrored, image, 1 / part.passes))

    def posteriors(self, images: int, parts: int, classes: int) -> Array:
        """The mean over the views of each part, and over the parts: (images, classes)."""
        total = np.zeros((images, classes))
        under_way = []
        for (way, _, most), queue in self._waiting.items():
            batches = -(-len(queue) // most)
            for batch in range(batches):  # of equal sizes, to one
                views = queue[len(queue) * batch // batches : len(queue) * (batch + 1) // batches]
                x = np.stack([view[:, ::-1] if mirrored else view for view, mirrored, *_ in views])
                under_way.append((views, self.functions[way](x)))  # a GPU computes it meanwhile
        for views, found in under_way:
            for (_, _, image, weight), row in zip(views, np.asarray(found), strict=True):
                total[image] += weight * row
        self._waiting = {}
        return (total / parts).astype(np.float32)
