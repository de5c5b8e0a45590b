"""What part of an image is seen, at what size: a Frame. Resizing and cropping compose into one, computed at once."""

from __future__ import annotations

from typing import Any, NamedTuple

from archspec.transforms.base import Transform

EDGE = 1e-3  # pixels: rounding to float32 must not lead outside


class Frame(NamedTuple):
    """A rectangle of an image, resampled to a size; (rows, columns) throughout. Of many images: (n, 2) each.

    Attributes:
        corner: float64 (..., 2), top and left of the rectangle, pixels of the image; the first pixel covers 0 to 1.
        extent: float64 (..., 2), its height and width, pixels of the image.
        size: int64 (..., 2), the pixels that it becomes.
    """

    corner: Any
    extent: Any
    size: Any

    def resized(self, tf: Any, size: Any) -> Frame:
        """The same rectangle with another number of pixels."""
        return self._replace(size=tf.cast(size, tf.int64))

    def cropped(self, tf: Any, offset: Any, size: Any) -> Frame:
        """The window of `size` at `offset`, both in the pixels that the frame has now."""
        step = self.extent / tf.cast(self.size, tf.float64)
        offset, size = (tf.cast(pair, tf.float64) for pair in (offset, size))
        return Frame(self.corner + offset * step, size * step, tf.cast(size + tf.zeros_like(step), tf.int64))


class Framing(Transform):
    """Base of the transforms that choose a Frame and compute nothing else, so that several cost one resampling."""

    def frame(self, tf: Any, frame: Frame, draws: Any) -> Frame:
        """The frame after this transform; draws (..., self.draws) are float32 in [0, 1), a row for each frame."""
        raise NotImplementedError(f"{type(self).__name__}.frame")  # a plugin that forgot it

    def apply(self, tf: Any, image: Any, draws: Any) -> Any:
        framed = self.frame(tf, whole(tf, tf.shape(image)[:2]), draws)
        declared = self.shape(tuple(image.shape))
        return tf.ensure_shape(view(tf, image[None], framed)[0], declared)

    def apply_batch(self, tf: Any, images: Any, draws: Any) -> Any:
        framed = self.frame(tf, whole(tf, tf.shape(images)[1:3]), draws[0] if self.draws else draws)
        declared = self.shape(tuple(images.shape[1:]))
        return tf.ensure_shape(view(tf, images, framed), (images.shape[0], *declared))


def whole(tf: Any, sides: Any) -> Frame:
    """All of images of those sides (..., 2), as they are."""
    sides = tf.cast(sides, tf.int64)
    extent = tf.cast(sides, tf.float64)
    return Frame(tf.zeros_like(extent), extent, sides)


def view(tf: Any, images: Any, frame: Frame, resample: str = "exact") -> Any:
    """What the frame shows of the images (b, H, W, C): (b, *size, C) float32; a copy where nothing is to be resampled.

    resample: `exact` is antialiased bilinear at fractional places: it equals `tf.image.resize(antialias=True)` of the
    whole image, then the crop, to 0.02 grey levels. `fast` rounds the rectangle to whole pixels, and takes means of
    areas to shrink it and bilinear interpolation to enlarge it: faster, and up to half a pixel of the images off.
    """
    first = tf.cast(tf.round(frame.corner), tf.int64)
    size = tf.cast(frame.size, tf.int32)

    def between(begin: Any, end: Any) -> Any:
        return images[:, begin[0] : end[0], begin[1] : end[1]]

    def copy() -> Any:
        return tf.cast(between(first, first + frame.size), tf.float32)

    last = tf.cast(tf.shape(images)[1:3] - 1, tf.float64)
    step = frame.extent / tf.cast(frame.size, tf.float64)
    # the first and the last place that is read
    begins, ends = frame.corner + step / 2 - 0.5, frame.corner + frame.extent - step / 2 - 0.5
    # an image that is enlarged needs no antialiasing, and crop_and_resize takes half the time; it reads nothing outside
    inside = tf.reduce_all((step <= 1) & (begins >= EDGE) & (ends <= last - EDGE) & (frame.size > 1))

    def interpolated() -> Any:
        box = tf.cast(tf.concat([begins / last, ends / last], 0), tf.float32)
        count = tf.shape(images)[:1]
        boxes = tf.broadcast_to(box, tf.concat([count, [4]], 0))
        return tf.image.crop_and_resize(images, boxes, tf.range(count[0]), size)

    def antialiased() -> Any:
        scale = 1 / step
        return tf.raw_ops.ScaleAndTranslate(
            images=images,
            size=size,
            scale=tf.cast(scale, tf.float32),
            translation=tf.cast(-frame.corner * scale, tf.float32),
            kernel_type="triangle",
            antialias=True,
        )

    def exact() -> Any:
        return tf.cond(inside, interpolated, antialiased)

    def fast() -> Any:
        sides = tf.cast(tf.shape(images)[1:3], tf.int64)
        begin = tf.minimum(first, sides - 1)
        end = tf.maximum(tf.cast(tf.round(frame.corner + frame.extent), tf.int64), begin + 1)
        pixels = between(begin, tf.minimum(end, sides))
        return tf.cond(
            tf.reduce_any(frame.extent > tf.cast(frame.size, tf.float64)),
            lambda: tf.raw_ops.ResizeArea(images=pixels, size=size),
            lambda: tf.raw_ops.ResizeBilinear(images=pixels, size=size, half_pixel_centers=True),
        )

    kept = tf.reduce_all(frame.extent == tf.cast(frame.size, tf.float64))
    aligned = tf.reduce_all(frame.corner == tf.round(frame.corner))
    seen = tf.cond(kept & aligned, copy, exact if resample == "exact" else fast)
    return tf.ensure_shape(seen, (images.shape[0], None, None, images.shape[-1]))
