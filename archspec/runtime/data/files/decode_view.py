"""Decode of an image no more than what a frame shows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from archspec.runtime.data.files.decode import decode, to_channels
from archspec.transforms.frame import Frame, manner, resampled, whole_pixels

REDUCTIONS = (1, 2, 4, 8)
"""By how much libjpeg reduces an image while it decodes it."""
MARGIN = 2  # pixels around the window, so that the interpolation of its colours knows what lies beside it


class Window(NamedTuple):
    """What must be decoded to see a Frame, and the frame in it. Of many images: (n, ...) each.

    Attributes:
        box: int32 (..., 4), top, left, height and width, pixels of the image after reduction.
        reduction: int32 (...), an index of REDUCTIONS.
        corner, extent, size: of the Frame, pixels of the box.
        manner: int32 (...), how it is resampled.
    """

    box: Any
    reduction: Any
    corner: Any
    extent: Any
    size: Any
    manner: Any


def window(tf: Any, frame: Frame, sides: Any, in_part: Any, resample: str) -> Window:
    """The Window of a frame in an image of `sides` (..., 2), which can be decoded `in_part` (...) or only whole."""
    reduction = tf.zeros(tf.shape(frame.size)[:-1], tf.int32)
    if resample == "fast":
        shrinks = tf.reduce_min(frame.extent / tf.cast(frame.size, tf.float64), -1)
        reduction = sum(tf.cast(in_part & (shrinks >= float(each)), tf.int32) for each in REDUCTIONS[1:])
    divisor = tf.gather(tf.constant(REDUCTIONS), reduction)[..., None]
    sides = -(-tf.cast(sides, tf.int32) // divisor)
    divisor = tf.cast(divisor, tf.float64)
    frame = Frame(frame.corner / divisor, frame.extent / divisor, frame.size)
    if resample == "fast":
        first, last = whole_pixels(tf, frame, sides)
        extent = tf.cast(last - first, tf.float64)
        frame = Frame(tf.zeros_like(extent), extent, frame.size)
    else:
        # the triangle of the antialiasing
        reach = MARGIN + tf.maximum(frame.extent / tf.cast(frame.size, tf.float64), 1.0)
        first = tf.cast(tf.maximum(tf.floor(frame.corner - reach), 0.0), tf.int32)
        last = tf.minimum(tf.cast(tf.math.ceil(frame.corner + frame.extent + reach), tf.int32), sides)
        frame = frame._replace(corner=frame.corner - tf.cast(first, tf.float64))
    box = tf.concat([first, last - first], -1)
    return Window(box, reduction, *frame, manner(tf, frame, last - first, resample))


def decode_window(tf: Any, contents: Any, channels: int, seen: Window, in_part: Any, resample: str) -> Any:
    """Encoded bytes to the float32 (*size, channels) that the frame of a Window shows.

    in_part: whether they are an upright JPEG; True, no tensor, where all are. Raises tf.errors.InvalidArgumentError,
    also when the image is smaller than it was.
    """

    def part(reduction: int) -> Callable[[], Any]:
        def decoded() -> Any:
            raw = tf.image.decode_and_crop_jpeg(
                contents,
                seen.box,
                channels=3 if channels == 3 else 0,
                ratio=reduction,
                dct_method="INTEGER_ACCURATE",
            )
            return raw if channels == 3 else to_channels(tf, raw, channels)

        return decoded

    def parts() -> Any:
        if resample == "exact":
            return part(1)()
        return tf.switch_case(seen.reduction, [part(each) for each in REDUCTIONS])

    if in_part is True:
        return view_window(tf, parts(), seen, resample)
    pixels = tf.cond(in_part, parts, lambda: sliced(tf, decode(tf, contents, channels), seen))
    return view_window(tf, pixels, seen, resample)


def sliced(tf: Any, image: Any, seen: Window) -> Any:
    """The box of a Window, cut out of the pixels (H, W, C) of a whole image."""
    return tf.slice(image, tf.concat([seen.box[:2], [0]], 0), tf.concat([seen.box[2:], [-1]], 0), "decoded_window")


def view_window(tf: Any, pixels: Any, seen: Window, resample: str) -> Any:
    """What the frame of a Window shows of the pixels of its box: (*size, C), float32."""
    return resampled(tf, pixels[None], Frame(seen.corner, seen.extent, seen.size), seen.manner, resample)[0]
