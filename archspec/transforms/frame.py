"""Frames: the part of an image that is visible, and its size. Resizes and crops are combined into one resampling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, Self

from archspec.declare import POSITIVE
from archspec.ops.base import Shape
from archspec.transforms.base import Transform

SIDES = {"type": ["integer", "array"], "minimum": 1, "items": POSITIVE, "minItems": 2, "maxItems": 2}
Sides = int | tuple[int, int] | None
LONGEST = 64  # largest ratio of the sides of an image
EDGE = 1e-3  # pixels: float32 rounding must not reach outside of the image


class Frame(NamedTuple):
    """A rectangle of an image that is resampled to a size, as (rows, columns). For many images: (n, 2) each.

    Attributes:
        corner: float64 (..., 2), top and left of the rectangle, in pixels of the image; the first pixel covers 0 to 1.
        extent: float64 (..., 2), its height and width, in pixels of the image.
        size: int64 (..., 2), number of pixels of the result.
    """

    corner: Any
    extent: Any
    size: Any

    def resized(self, tf: Any, size: Any) -> Frame:
        """The same rectangle, resampled to another size."""
        return self._replace(size=tf.cast(size, tf.int64))

    def cropped(self, tf: Any, offset: Any, size: Any) -> Frame:
        """The window of `size` at `offset`, both in pixels of this frame's result."""
        step = self.extent / tf.cast(self.size, tf.float64)
        offset, size = (tf.cast(pair, tf.float64) for pair in (offset, size))
        return Frame(self.corner + offset * step, size * step, tf.cast(size + tf.zeros_like(step), tf.int64))


class Framing(Transform):
    """Base of the transforms that only choose a Frame, so that several of them cost one resampling."""

    needs = "image"

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        """The frame after this transform; draws (..., self.draws) are float32 in [0, 1), one row for each frame."""
        raise NotImplementedError(f"{type(self).__name__}.frame")  # not implemented by a plugin

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        framed = self.frame(tf, whole(tf, tf.shape(image)[:2]), draws)
        declared = self.shape(tuple(image.shape))
        return tf.ensure_shape(view(tf, image[None], framed)[0], declared)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        framed = self.frame(tf, whole(tf, tf.shape(images)[1:3]), draws[0] if self.draws else draws)
        declared = self.shape(tuple(images.shape[1:]))
        return tf.ensure_shape(view(tf, images, framed), (images.shape[0], *declared))


class SizedFraming(Framing):
    """Base of the framing transforms whose result has a given `size`, by default that of the network's input."""

    sizes = True

    size: Sides

    @property
    def window(self) -> tuple[int | None, int | None]:
        """Height and width of the result; None for an unknown side."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    def for_input(self, input_shape: Shape) -> Self:
        height, width, _ = super().shape(input_shape)
        return self if self.size is not None else replace(self, size=(height, width))  # type: ignore[type-var]

    def shape(self, image: Shape) -> Shape:
        return (*self.window, super().shape(image)[2])


def whole(tf: Any, sides: Any) -> Frame:
    """The frame of whole images of `sides` (..., 2)."""
    sides = tf.cast(sides, tf.int64)
    extent = tf.cast(sides, tf.float64)
    return Frame(tf.zeros_like(extent), extent, sides)


def view(tf: Any, images: Any, frame: Frame, resample: str = "exact") -> Any:
    """Images (b, H, W, C) -> float32 (b, *size, C), the pixels in the frame.

    resample: `exact` is antialiased bilinear at fractional positions. It equals `tf.image.resize(antialias=True)` of
    the whole image, then the crop, to 0.02 grey levels. `fast` rounds the rectangle to whole pixels, shrinks it by
    means of areas, and enlarges it by bilinear interpolation: it is up to half a pixel off.
    """
    return resampled(tf, images, frame, manner(tf, frame, tf.shape(images)[1:3], resample), resample)


COPY, ENLARGE, SHRINK = range(3)


def manner(tf: Any, frame: Frame, sides: Any, resample: str) -> Any:
    """How frames of images of `sides` (..., 2) are computed, int32 (...): COPY, ENLARGE or SHRINK.

    ENLARGE is interpolation without antialiasing, which takes half the time. It must not read outside of the image, so
    SHRINK also enlarges frames at the border.
    """
    size, last = tf.cast(frame.size, tf.float64), tf.cast(sides, tf.float64) - 1
    kept = tf.reduce_all((frame.extent == size) & (frame.corner == tf.round(frame.corner)), -1)
    if resample == "exact":
        begins, ends = _first_and_last(frame, size)
        enlarged = (frame.extent <= size) & (begins >= EDGE) & (ends <= last - EDGE) & (frame.size > 1)
    else:
        enlarged = frame.extent <= size
    return tf.where(kept, COPY, tf.where(tf.reduce_all(enlarged, -1), ENLARGE, SHRINK))


def _first_and_last(frame: Frame, size: Any) -> tuple[Any, Any]:
    """The positions in the image of the centers of the first and the last pixel of the result."""
    half = frame.extent / size / 2 - 0.5
    return frame.corner + half, frame.corner + frame.extent - half - 1


def resampled(tf: Any, images: Any, frame: Frame, manner: Any, resample: str) -> Any:
    """As `view`, for a frame with a known `manner`."""
    size = tf.cast(frame.size, tf.int32)

    def between(begin: Any, end: Any) -> Any:
        return images[:, begin[0] : end[0], begin[1] : end[1]]

    def copy() -> Any:
        first = tf.cast(tf.round(frame.corner), tf.int64)
        return tf.cast(between(first, first + frame.size), tf.float32)

    def interpolated() -> Any:
        last = tf.cast(tf.shape(images)[1:3] - 1, tf.float64)
        begins, ends = _first_and_last(frame, tf.cast(size, tf.float64))
        box = tf.cast(tf.concat([begins / last, ends / last], 0), tf.float32)
        count = tf.shape(images)[:1]
        boxes = tf.broadcast_to(box, tf.concat([count, [4]], 0))
        return tf.image.crop_and_resize(images, boxes, tf.range(count[0]), size)

    def antialiased() -> Any:
        scale = tf.cast(size, tf.float64) / frame.extent
        return tf.raw_ops.ScaleAndTranslate(
            images=images,
            size=size,
            scale=tf.cast(scale, tf.float32),
            translation=tf.cast(-frame.corner * scale, tf.float32),
            kernel_type="triangle",
            antialias=True,
        )

    def pixels() -> Any:
        begin, end = whole_pixels(tf, frame, tf.shape(images)[1:3])
        return between(begin, end)

    def bilinear() -> Any:
        return tf.raw_ops.ResizeBilinear(images=pixels(), size=size, half_pixel_centers=True)

    def area() -> Any:
        return tf.raw_ops.ResizeArea(images=pixels(), size=size)

    seen = tf.switch_case(manner, [copy, interpolated, antialiased] if resample == "exact" else [copy, bilinear, area])
    return tf.ensure_shape(seen, (images.shape[0], None, None, images.shape[-1]))


def whole_pixels(tf: Any, frame: Frame, sides: Any) -> tuple[Any, Any]:
    """Start and end of frames, int32 (..., 2) each, in whole pixels of images of `sides`; at least one pixel."""
    sides = tf.cast(sides, tf.int32)
    begin = tf.minimum(tf.cast(tf.round(frame.corner), tf.int32), sides - 1)
    end = tf.maximum(tf.cast(tf.round(frame.corner + frame.extent), tf.int32), begin + 1)
    return begin, tf.minimum(end, sides)


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
