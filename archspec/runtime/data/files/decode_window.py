"""Decoding of the window of an image that a frame shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from archspec.runtime.data.files.decode import JPEG_DCT, decode, to_channels
from archspec.transforms.frame import Frame, manner, resampled, whole_pixels

REDUCTIONS = (1, 2, 4, 8)
"""Factors by which libjpeg can reduce an image while it decodes it."""
MARGIN = 2  # pixels around the window: libjpeg interpolates chroma from neighbors


class DecodeWindow(NamedTuple):
    """The part of an image to decode for a Frame, and the frame relative to it. For many images: (n, ...) each.

    Attributes:
        box: int32 (..., 4), top, left, height and width, in pixels of the reduced image.
        reduction: int32 (...), index in REDUCTIONS.
        corner, extent, size: of the Frame, in pixels of the box.
        manner: int32 (...), how the frame is resampled.
    """

    box: Any
    reduction: Any
    corner: Any
    extent: Any
    size: Any
    manner: Any


def window(tf: Any, frame: Frame, sides: Any, in_part: Any, resample: str) -> DecodeWindow:
    """The window of a frame in images of `sides` (..., 2); only those with `in_part` (...) can be reduced."""
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
        # the radius of the antialiasing filter
        reach = MARGIN + tf.maximum(frame.extent / tf.cast(frame.size, tf.float64), 1.0)
        first = tf.cast(tf.maximum(tf.floor(frame.corner - reach), 0.0), tf.int32)
        last = tf.minimum(tf.cast(tf.math.ceil(frame.corner + frame.extent + reach), tf.int32), sides)
        frame = frame._replace(corner=frame.corner - tf.cast(first, tf.float64))
    box = tf.concat([first, last - first], -1)
    return DecodeWindow(box, reduction, *frame, manner(tf, frame, last - first, resample))


def decode_window(tf: Any, contents: Any, channels: int, seen: DecodeWindow, in_part: Any, resample: str) -> Any:
    """Encoded bytes -> float32 (*size, channels): what the frame of a window shows.

    Args:
        in_part: whether the image is an upright JPEG, a scalar tensor; True if all images are.

    Raises:
        tf.errors.InvalidArgumentError: for a damaged image, and for one that has become smaller.
    """

    def part(reduction: int) -> Callable[[], Any]:
        def decoded() -> Any:
            raw = tf.image.decode_and_crop_jpeg(
                contents,
                seen.box,
                channels=3 if channels == 3 else 0,
                ratio=reduction,
                dct_method=JPEG_DCT,
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


def sliced(tf: Any, image: Any, seen: DecodeWindow) -> Any:
    """The box of a window, cut out of a decoded image (H, W, C)."""
    return tf.slice(image, tf.concat([seen.box[:2], [0]], 0), tf.concat([seen.box[2:], [-1]], 0), "decoded_window")


def view_window(tf: Any, pixels: Any, seen: DecodeWindow, resample: str) -> Any:
    """What the frame of a window shows: the pixels of its box -> float32 (*size, C)."""
    return resampled(tf, pixels[None], Frame(seen.corner, seen.extent, seen.size), seen.manner, resample)[0]
