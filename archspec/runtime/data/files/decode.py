"""Decoding of an image, or of the window that a frame shows; the same in training, evaluation and exported models."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.encoded_image import BadImageError, decodable, format_of
from archspec.runtime.data.files.orientation import EXIF, orientation, turned
from archspec.runtime.data.files.pillow_formats import with_end
from archspec.runtime.data.images import luminance
from archspec.transforms.frame import Frame, manner, resampled, whole_pixels

ANIMATION, ALPHA = 0x02, 0x10  # flags of a WebP (RFC 9649, section 2.7.1)
JPEG_DCT = "INTEGER_ACCURATE"  # as Pillow


def decode(tf: Any, contents: Any, channels: int) -> Any:
    """Encoded bytes (a scalar string tensor) -> uint8 (H, W, channels), upright by the EXIF orientation.

    The formats are JPEG, PNG, BMP, GIF (the first frame), and WebP if TensorFlow reads it. 16-bit PNGs are reduced to
    8 bits; an alpha channel is dropped, not composited.

    Args:
        channels: 1 (grey) or 3 (RGB).

    Raises:
        tf.errors.InvalidArgumentError: for a damaged image.
    """

    def jpeg() -> Any:
        raw = tf.io.decode_jpeg(contents, channels=3 if channels == 3 else 0, dct_method=JPEG_DCT)
        return raw if channels == 3 else to_channels(tf, raw, channels)

    def others() -> Any:
        return to_channels(tf, tf.io.decode_image(_with_room(tf, contents), expand_animations=False), channels)

    image = tf.ensure_shape(tf.cond(tf.io.is_jpeg(contents), jpeg, others), (None, None, channels))
    image = turned(tf, image, orientation(tf, contents))
    return tf.ensure_shape(image, (None, None, channels))


def _with_room(tf: Any, contents: Any) -> Any:
    """Encoded bytes, with the alpha flag set in an animated WebP.

    TensorFlow (2.21) allocates memory for the channels of the header but writes four: a heap overflow without the flag.
    """
    start = tf.strings.join([tf.strings.substr(contents, 0, 21), bytes(21)])  # padded, for short files
    flags = tf.cast(tf.io.decode_raw(tf.strings.substr(start, 20, 1), tf.uint8)[0], tf.int32)
    animated = (tf.strings.substr(start, 8, 8) == b"WEBPVP8X") & (flags & ANIMATION == ANIMATION)

    def patched() -> Any:
        rest = tf.strings.substr(contents, 21, tf.strings.length(contents))
        with_alpha = tf.gather(tf.constant([bytes([each]) for each in range(256)]), flags | ALPHA)
        return tf.strings.join([tf.strings.substr(contents, 0, 20), with_alpha, rest])

    return tf.cond(animated, patched, lambda: contents)


def to_channels(tf: Any, raw: Any, channels: int) -> Any:
    """Decoded pixels, uint8 (H, W, 1 to 4) -> 1 channel (grey) or 3 (RGB), without alpha."""

    def grey(rgb: Any) -> Any:
        # as images.luminance
        weighted = tf.reduce_sum(tf.cast(rgb, tf.int32) * [299, 587, 114], axis=-1, keepdims=True)
        return tf.cast((weighted + 500) // 1000, tf.uint8)

    raw = tf.ensure_shape(raw, (None, None, None))
    color = tf.shape(raw)[-1] >= 3  # 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
    if channels == 3:
        return tf.cond(color, lambda: raw[..., :3], lambda: tf.repeat(raw[..., :1], 3, axis=-1))
    return tf.cond(color, lambda: grey(raw[..., :3]), lambda: raw[..., :1])


def decode_bytes(tf: Any, contents: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """Encoded bytes -> uint8 (H, W, channels), as `decode`; TIFF, AVIF and HEIC too. Raises BadImageError."""
    try:
        with tf.device("/cpu:0"):
            contents = with_end(tf, decodable(contents))
            if (upright := _upright(tf, contents, channels)) is not None:
                return upright
            pixels: npt.NDArray[np.uint8] = _traced(channels)(tf.constant(contents)).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        raise BadImageError(f"a damaged {format_of(contents)}") from None
    return pixels


def _upright(tf: Any, contents: bytes, channels: int) -> npt.NDArray[np.uint8] | None:
    """As `decode`, for a JPEG or PNG without EXIF; None for other images.

    It runs one operation; for a small image the graph takes ten times as long, because it searches for EXIF. Bytes that
    are no tensor yet take TensorFlow's slow path.
    """
    if contents.startswith(b"\xff\xd8\xff") and EXIF not in contents:
        raw = tf.io.decode_jpeg(tf.constant(contents), channels=3 if channels == 3 else 0, dct_method=JPEG_DCT).numpy()
    elif contents.startswith(b"\x89PNG\r\n\x1a\n") and b"eXIf" not in contents:
        raw = tf.io.decode_png(tf.constant(contents)).numpy()
    else:
        return None
    here = raw.shape[-1]  # 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
    if channels == 3:
        return raw[..., :3] if here >= 3 else np.repeat(raw[..., :1], 3, axis=-1)
    return luminance(raw[..., :3]) if here >= 3 else raw[..., :1]


@functools.cache
def _traced(channels: int) -> Any:
    """`decode` as a graph: eagerly, the search for EXIF takes ten times as long as decoding the pixels."""
    import tensorflow as tf

    return tf.function(
        lambda contents: decode(tf, contents, channels),
        input_signature=[tf.TensorSpec((), tf.string)],
        autograph=False,
    )


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
    """Encoded bytes -> float32 (*size, channels): the pixels in the frame of a window.

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
    """The pixels in the frame of a window: those of its box -> float32 (*size, C)."""
    return resampled(tf, pixels[None], Frame(seen.corner, seen.extent, seen.size), seen.manner, resample)[0]
