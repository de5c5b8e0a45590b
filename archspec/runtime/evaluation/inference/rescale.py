"""Images rescaled to the scales of a protocol, in the order of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.protocols.crops import Pair
from archspec.runtime.data.files.decode import decode
from archspec.runtime.data.files.encoded_image import image_sides, reader
from archspec.runtime.data.images import Images
from archspec.runtime.data.tf_data import images_at_once, untuned
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

    def load(row: Any) -> Any:
        return kept[row] if contents_of is None else decode(tf, contents_of(row), channels)  # type: ignore[index]

    def one(row: Any) -> tuple[Any, ...]:
        image = load(row)
        sides = tf.cast(tf.shape(image)[:2], tf.int64)
        near = _near(tf, sides)
        middle = whole(tf, sides).cropped(tf, (sides - near) // 2, near)
        frames = (middle.resized(tf, scaled_sides(tf, near, window or (None, None), size)) for size, window in scales)
        return tuple(view(tf, image[None], frame)[0] for frame in frames)

    data = tf.data.Dataset.from_tensor_slices(np.asarray(rows, np.int64))
    data = data.map(tf.autograph.experimental.do_not_convert(one), images_at_once(), deterministic=True)
    for found in untuned(data.prefetch(1)):
        yield tuple(each.numpy() for each in found)


def rescaled_sides(images: Images, rows: Sequence[int], scales: Sequence[Scale]) -> list[npt.NDArray[np.int64]]:
    """At each scale, the sides (rows, 2), pixels, that `rescaled_images` returns; no image is decoded."""
    tf = import_tensorflow()
    sides, _ = image_sides(images)
    near = _near(tf, tf.constant(sides[np.asarray(rows, np.int64)], tf.int64))
    return [scaled_sides(tf, near, window or (None, None), size).numpy() for size, window in scales]


def _near(tf: Any, sides: Any) -> Any:
    """The sides (..., 2) after the crop: at most 64 times the smaller one."""
    return tf.minimum(sides, LONGEST * tf.reduce_min(sides, -1, keepdims=True))
