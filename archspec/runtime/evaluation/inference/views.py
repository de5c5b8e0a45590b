"""The views of images: rescaled, in batches that fit into memory, and the averages of their softmax outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.graph.compile.inference import at_size
from archspec.ops.base import Shape
from archspec.protocols import ViewSet
from archspec.protocols.crops import Pair
from archspec.runtime.data.files.decode import decode
from archspec.runtime.data.files.encoded_image import image_sides, reader
from archspec.runtime.data.images import Images
from archspec.runtime.data.tf_data import images_at_once, untuned
from archspec.runtime.dense.scorer import DenseScorer, bytes_of
from archspec.runtime.evaluation.inference.predictor import Predict, Predictor
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.transforms.frame import LONGEST, scaled_sides, view, whole

Scale = tuple[int | None, Pair | None]
"""Smallest side, pixels (None: just large enough for the window), and the window (rows, columns) to cover.

Without both, the image keeps its size.
"""


def rescaled_images(
    images: Images, rows: Sequence[int], scales: Sequence[Scale], channels: int
) -> Iterator[tuple[npt.NDArray[np.float32], ...]]:
    """For each row, the image (H, W, C) at each scale, float32 from 0 to 255; antialiased bilinear.

    The smallest side becomes that of the scale, or larger where the image would not cover the window. A side of more
    than 64 times the other is first cropped to its middle. Raises tf.errors.OpError for a file that can no longer be
    decoded.
    """
    tf = import_tensorflow()
    with tf.device("/cpu:0"):
        kept = None if images.pixels is None else tf.constant(images.pixels)
    contents_of = None if images.files is None else reader(tf, images)

    def one(row: Any) -> tuple[Any, ...]:
        image = kept[row] if contents_of is None else decode(tf, contents_of(row), channels)  # type: ignore[index]
        sides = tf.cast(tf.shape(image)[:2], tf.int64)
        near = _near(tf, sides)
        middle = whole(tf, sides).cropped(tf, (sides - near) // 2, near)
        frames = (middle.resized(tf, scaled_sides(tf, near, window or (None, None), size)) for size, window in scales)
        return tuple(view(tf, image[None], frame)[0] for frame in frames)

    data = tf.data.Dataset.from_tensor_slices(np.asarray(rows, np.int64))
    data = data.map(tf.autograph.experimental.do_not_convert(one), images_at_once(), deterministic=True)
    yield from untuned(data.prefetch(1)).as_numpy_iterator()


def rescaled_sides(images: Images, rows: Sequence[int], scales: Sequence[Scale]) -> list[npt.NDArray[np.int64]]:
    """At each scale, the sides (rows, 2), pixels, that `rescaled_images` returns; no image is decoded."""
    tf = import_tensorflow()
    sides, _ = image_sides(images)
    near = _near(tf, tf.constant(sides[np.asarray(rows, np.int64)], tf.int64))
    return [scaled_sides(tf, near, window or (None, None), size).numpy() for size, window in scales]


def _near(tf: Any, sides: Any) -> Any:
    """The sides (..., 2) after the crop: at most 64 times the smaller one."""
    return tf.minimum(sides, LONGEST * tf.reduce_min(sides, -1, keepdims=True))


STEP = 32
"""Sizes proposed in errors are multiples of this number of pixels."""


@dataclass(frozen=True)
class MemoryBudget:
    """The number of views that a dense network can process at once.

    Attributes:
        memory: limit on the outputs of its layers, bytes.
        per_pixel: bytes that these outputs need at their peak for each pixel of a view.
    """

    memory: float = math.inf
    per_pixel: float = 1.0

    def views(self, pixels: int) -> float:
        """How many views of that many pixels fit; below 1 where not even one fits as a whole."""
        return self.memory / (self.per_pixel * pixels)


def memory_budget(network: Predictor, images: Images, rows: Sequence[int], plan: Sequence[ViewSet]) -> MemoryBudget:
    """The budget for the images, from the largest of them at each scale.

    It has no limit on a GPU, where TensorFlow manages the memory, and for networks whose graph cannot be read.

    Raises:
        ArchspecError: `image-too-large` if the largest image does not fit and cannot be processed in tiles.
    """
    dense = [((size, views.window), views) for views in plan if views.dense for size in views.sizes]
    scorer = network.scorer if dense and len(rows) else None
    if scorer is None:
        return MemoryBudget()
    per_pixel = 1.0
    for (scale, views), sides in zip(dense, rescaled_sides(images, rows, [scale for scale, _ in dense]), strict=True):
        rescaled = sides[np.argmax(sides.prod(axis=1))]
        height, width = views.extent((int(rescaled[0]), int(rescaled[1])))
        shape = (height, width, network.input_shape[-1])
        try:
            needed = scorer.check(shape)
        except ArchspecError as error:
            raise _with_fitting_size(error, scorer, shape, scale) from None
        per_pixel = max(per_pixel, needed / (height * width))
    return MemoryBudget(scorer.memory, per_pixel)


def _with_fitting_size(error: ArchspecError, scorer: DenseScorer, shape: Shape, scale: Scale) -> ArchspecError:
    """The error with a size that fits in its help, if there is one. The memory grows with the square of the size."""
    (diagnostic,) = error.diagnostics
    size, window = scale
    if diagnostic.code != "image-too-large" or size is None:
        return error
    share = math.sqrt(scorer.memory / bytes_of(at_size(scorer.graph, shape)))
    fits = math.floor(size * share) // STEP * STEP
    if fits < max(window or (1, 1)):
        return error
    help = f"use a smaller size, such as `--protocol 'dense: {fits}'`, or more memory"
    return fail(diagnostic.code, diagnostic.message, notes=diagnostic.notes, help=help)


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
    views_at = [((size, views.window), views) for views in plan for size in views.sizes]
    scales = list(dict.fromkeys(scale for scale, _ in views_at))
    height, width = network.input_shape[:2]
    pixel_limit = batch_size * (height * width if height and width else DEFAULT_VIEW)
    batches = _ViewBatches(network, plan, pixel_limit, memory_budget(network, images, rows.tolist(), plan))
    chunk: list[int] = []
    pixels = 0
    for row, scaled in zip(
        rows.tolist(), rescaled_images(images, rows.tolist(), scales, int(network.input_shape[-1] or 0)), strict=True
    ):
        by_scale = dict(zip(scales, scaled, strict=True))
        more = sum(views.pixels(by_scale[scale].shape[:2]) for scale, views in views_at)
        if chunk and pixels + more > pixel_limit:
            yield np.array(chunk), batches.posteriors(len(chunk))
            chunk, pixels = [], 0
        for scale, views in views_at:
            batches.add(views, len(chunk), by_scale[scale])
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
            crop = pixels[top : top + height, left : left + width]
            for mirrored in (False, True)[: 1 + views.flip]:
                queue.append(_View(crop, mirrored, image, 1 / (views.passes * len(self.plan))))

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
            for each, output in zip(views, np.asarray(outputs), strict=True):
                total[each.image] += each.weight * output
        self._waiting = {}
        return total.astype(np.float32)
