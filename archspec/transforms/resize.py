"""Resizing: resize_smallest_side, and the sides that cover a window."""

from __future__ import annotations

from typing import Any

from archspec.declare import POSITIVE, arg, declared
from archspec.ops.base import Shape
from archspec.transforms.base import check_range, uniform_integer
from archspec.transforms.frame import Frame, Framing

LONGEST = 64  # largest ratio of the sides of an image
SIDE_OR_RANGE = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}


@declared
class ResizeSmallestSide(Framing):
    """Resize the smallest side to `size` pixels, antialiased bilinear, with the same aspect ratio.

    Shapes: (H, W, C) -> (size, round(size W / H), C) for H <= W. Of an image with a side of more than 64 times the
    other, the central part is used. A range [low, high] draws the size of each image, including both ends: scale jitter
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
        height, width, channels = super().shape(image)
        if isinstance(self.size, tuple):
            check_range(self.size, "size")
        if isinstance(self.size, tuple) or height is None or width is None:
            return (None, None, channels)
        smallest = min(height, width)
        kept = (min(side, LONGEST * smallest) for side in (height, width))
        return (*(rounded(side * self.size, smallest) for side in kept), channels)

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        size: Any = self.size
        if isinstance(size, tuple):
            size = size[0] + uniform_integer(tf, draws[..., 0], size[1] - size[0] + 1)
        # a scaled strip could exceed memory
        kept = tf.minimum(frame.size, LONGEST * tf.reduce_min(frame.size, -1, keepdims=True))
        middle = frame.cropped(tf, (frame.size - kept) // 2, kept)
        return middle.resized(tf, scaled_sides(tf, kept, (None, None), size))


def rounded(numerator: Any, denominator: Any) -> Any:
    """numerator / denominator, rounded to the nearest integer, halves up; for integers and integer tensors."""
    return (2 * numerator + denominator) // (2 * denominator)


def scaled_sides(tf: Any, old: Any, cover: tuple[Any, Any], smallest_side: Any = None) -> Any:
    """The smallest sides, int64 (..., 2), that cover `cover` and are at least `smallest_side`, in pixels.

    They have the aspect ratio of the sides `old` (..., 2), and may be smaller or larger. None in `cover` is ignored.
    """
    old = tf.cast(old, tf.int64)
    wanted = [(side, old[..., axis]) for axis, side in enumerate(cover) if side is not None]
    if smallest_side is not None:
        wanted.append((smallest_side, tf.reduce_min(old, -1)))
    if not wanted:
        return old
    # rounding is monotone: the largest rounded sides are those of the largest scale
    scaled = [
        rounded(old * tf.expand_dims(tf.cast(new, tf.int64), -1), tf.expand_dims(side, -1)) for new, side in wanted
    ]
    return tf.reduce_max(tf.stack(scaled), axis=0)


def of_size(tf: Any, size: tuple[Any, Any], old: Any) -> Any:
    """`size` for each of the sides `old` (..., 2), int64, where None stands for the old side."""
    old = tf.cast(old, tf.int64)
    fixed = tf.constant([side is not None for side in size])
    return tf.where(fixed, tf.constant([side or 0 for side in size], tf.int64), old)
