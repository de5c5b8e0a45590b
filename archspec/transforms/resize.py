"""The scale of an image: resize_smallest_side, and the window of a scaled image that every crop reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.declare import POSITIVE, arg
from archspec.ops.base import OpError, Shape
from archspec.transforms.base import Transform, sides, uniform_integer

LONGEST = 64  # the greatest ratio of an image's sides
SIDE_OR_RANGE = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}


@dataclass(frozen=True)
class ResizeSmallestSide(Transform):
    """Resize, keeping the aspect ratio, so that the smallest side has `size` pixels; antialiased bilinear.

    Shapes: (H, W, C) -> (size, round(size W / H), C) for H <= W. A side beyond 64 times the other is cut to its middle.
    A range [low, high] draws the size of each image from it, both ends included: the scale jitter of training
    (Simonyan & Zisserman 2014, section 3.1, with S in [256, 512]; He et al. 2015, section 3.4, with [256, 480]).
    """

    name = "resize_smallest_side"
    draws = 1
    sizes = True
    examples = (
        ({"size": 6}, (11, 7, 3)),
        ({"size": [5, 9]}, (11, 7, 3)),
        ({"size": 13}, (7, 11, 1)),
        ({"size": 2}, (1, 131, 3)),
    )

    size: int | tuple[int, int] = arg(SIDE_OR_RANGE, "smallest side, pixels; [low, high] draws it for each image")

    @property
    def batched(self) -> bool:
        return not isinstance(self.size, tuple)

    def shape(self, image: Shape) -> Shape:
        height, width = sides(image, self.name)
        if isinstance(self.size, tuple):
            if self.size[0] > self.size[1]:
                raise OpError(f"the range [{self.size[0]}, {self.size[1]}] is empty", "size", "write [low, high]")
            return (None, None, image[2])
        if height is None or width is None:
            return (None, None, image[2])
        smallest = min(height, width)
        kept = (min(side, LONGEST * smallest) for side in (height, width))
        return (*(rounded(side * self.size, smallest) for side in kept), image[2])

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        size: Any = self.size
        if isinstance(size, tuple):
            size = size[0] + uniform_integer(tf, draws[0, 0], size[1] - size[0] + 1)
        static = self.shape(tuple(images.shape[1:]))
        images = _without_far_ends(tf, images)
        scaled = scaled_sides(tf, images, (None, None), size)
        return tf.ensure_shape(window(tf, images, scaled, (0, 0), scaled), (images.shape[0], *static))


def _without_far_ends(tf: Any, images: Any) -> Any:
    """The middle of images whose one side exceeds LONGEST times the other: scaled as a whole they might fill memory."""
    old = tf.shape(images)[1:3]
    kept = tf.minimum(old, LONGEST * tf.reduce_min(old))
    first = (old - kept) // 2
    return images[:, first[0] : first[0] + kept[0], first[1] : first[1] + kept[1]]


def rounded(numerator: Any, denominator: Any) -> Any:
    """numerator / denominator to the nearest integer, a half upwards; for integers and for integer tensors."""
    return (2 * numerator + denominator) // (2 * denominator)


def scaled_sides(tf: Any, images: Any, cover: tuple[int | None, int | None], smallest_side: Any = None) -> Any:
    """Sides (2,) int64, aspect ratio kept, that cover `cover` and whose smallest is at least `smallest_side`, pixels.

    The smallest such sides: enlarging or shrinking as needed. A None in `cover` asks nothing of that side.
    """
    old = tf.cast(tf.shape(images)[1:3], tf.int64)
    wanted = [(side, old[axis]) for axis, side in enumerate(cover) if side is not None]
    if smallest_side is not None:
        wanted.append((tf.cast(smallest_side, tf.int64), tf.reduce_min(old)))
    if not wanted:
        return old
    # rounding is monotone, so the greatest of the rounded sides is the greatest scale's
    return tf.reduce_max(tf.stack([rounded(old * new, side) for new, side in wanted]), axis=0)


def window(tf: Any, images: Any, scaled: Any, offset: Any, size: Any) -> Any:
    """The window of `size` at `offset` of the images (b, H, W, C) once resized to `scaled`.

    scaled, offset, size: (height, width), pixels. -> (b, *size, C) float32, antialiased bilinear; an exact copy where
    nothing is to be resized. Only the window is computed; it equals `tf.image.resize(antialias=True)`, then the crop.
    """
    old = tf.cast(tf.shape(images)[1:3], tf.int64)
    scaled, offset, size = (tf.cast(pair, tf.int64) for pair in (scaled, offset, size))

    def copy() -> Any:
        begin, end = offset, offset + size
        return tf.cast(images[:, begin[0] : end[0], begin[1] : end[1]], tf.float32)

    def resample() -> Any:
        return tf.raw_ops.ScaleAndTranslate(
            images=images,
            size=tf.cast(size, tf.int32),
            scale=tf.cast(scaled / old, tf.float32),
            translation=-tf.cast(offset, tf.float32),
            kernel_type="triangle",
            antialias=True,
        )

    return tf.cond(tf.reduce_all(scaled == old), copy, resample)
