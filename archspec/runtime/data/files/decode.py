"""Decoding of one image, the same in training, evaluation and the exported model."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.encoded_image import EncodedImage
from archspec.runtime.data.files.header import BadImageError, format_of, header_of
from archspec.runtime.data.files.orientation import EXIF, orientation, turned
from archspec.runtime.data.images import luminance

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


def read_image(tf: Any, path: str, channels: int) -> npt.NDArray[np.uint8]:
    """A file -> uint8 (H, W, channels), upright; its header is checked first. Raises BadImageError."""
    contents = EncodedImage(path).read()
    header_of(contents)
    return decode_bytes(tf, contents, channels)


def decode_bytes(tf: Any, contents: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """Encoded bytes -> uint8 (H, W, channels), as `decode`. Raises BadImageError."""
    try:
        with tf.device("/cpu:0"):
            if (upright := _upright(tf, contents, channels)) is not None:
                return upright
            pixels: npt.NDArray[np.uint8] = _traced(channels)(tf.constant(contents)).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        raise BadImageError(f"a damaged {format_of(contents)}") from None
    return pixels


def _upright(tf: Any, contents: bytes, channels: int) -> npt.NDArray[np.uint8] | None:
    """As `decode`, for a JPEG or PNG without EXIF; None for other images.

    It runs one operation; for a small image the graph takes ten times as long, because it searches for EXIF.
    """
    if contents.startswith(b"\xff\xd8\xff") and EXIF not in contents:
        raw = tf.io.decode_jpeg(contents, channels=3 if channels == 3 else 0, dct_method=JPEG_DCT).numpy()
    elif contents.startswith(b"\x89PNG\r\n\x1a\n") and b"eXIf" not in contents:
        raw = tf.io.decode_image(contents, expand_animations=False).numpy()
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
