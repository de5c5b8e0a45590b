"""One encoded image to pixels, the same way in training, evaluation and the exported model; and what may stop it."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.orientation import TAG, orientation, turned

MOST_PIXELS = 178_956_970
"""Height times width beyond which no image is decoded (Pillow's limit): 0.5 GiB as RGB. A PNG of 1 MB can hold more."""
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")


class BadImageError(Exception):
    """Why a file cannot serve as an image, as a phrase: "a damaged JPEG"."""


def decode(tf: Any, contents: Any, channels: int) -> Any:
    """Encoded bytes (a scalar string tensor) to uint8 (H, W, channels); channels is 1 (grey) or 3 (RGB).

    JPEG (with the accurate DCT, as Pillow), PNG, BMP, the first frame of a GIF, and WebP where TensorFlow reads it;
    upright, by their EXIF orientation. 16-bit PNGs are reduced to 8 bits; an alpha channel is dropped, not composited.
    Raises tf.errors.InvalidArgumentError.
    """

    def jpeg() -> Any:
        raw = tf.io.decode_jpeg(contents, channels=3 if channels == 3 else 0, dct_method="INTEGER_ACCURATE")
        return raw if channels == 3 else to_channels(tf, raw, channels)

    def others() -> Any:
        return to_channels(tf, tf.io.decode_image(contents, expand_animations=False), channels)

    image = tf.ensure_shape(tf.cond(tf.io.is_jpeg(contents), jpeg, others), (None, None, channels))
    image = turned(tf, image, orientation(tf, contents))
    return tf.ensure_shape(image, (None, None, channels))


def to_channels(tf: Any, raw: Any, channels: int) -> Any:
    """Pixels uint8 (H, W, 1 to 4) as they were decoded, to 1 channel (grey) or 3 (RGB); alpha is dropped."""

    def grey(rgb: Any) -> Any:
        # the same arithmetic as images.luminance
        weighted = tf.reduce_sum(tf.cast(rgb, tf.int32) * [299, 587, 114], axis=-1, keepdims=True)
        return tf.cast((weighted + 500) // 1000, tf.uint8)

    raw = tf.ensure_shape(raw, (None, None, None))
    coloured = tf.shape(raw)[-1] >= 3  # 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha
    if channels == 3:
        return tf.cond(coloured, lambda: raw[..., :3], lambda: tf.repeat(raw[..., :1], 3, axis=-1))
    return tf.cond(coloured, lambda: grey(raw[..., :3]), lambda: raw[..., :1])


class Header(NamedTuple):
    """What an image file says of itself: upright size, pixels; format; EXIF orientation (1 upright, to 8)."""

    height: int
    width: int
    format: str
    orientation: int

    @property
    def in_part(self) -> bool:
        """Whether a window of it can be decoded alone."""
        return self.format == "JPEG" and self.orientation == 1


def read_header(path: str) -> tuple[int, int]:
    """(height, width) of an image file, pixels, upright, without decoding it. Raises BadImageError."""
    return header(path)[:2]


def header(path: str) -> Header:
    """The Header of an image file, without decoding it. Raises BadImageError."""
    with _opened(path) as file:
        return _header(file)


def read_file(path: str) -> bytes:
    """The bytes of an image file. Raises BadImageError."""
    with _opened(path) as file:
        return file.read()


def _no_file(path: str) -> str:
    if os.path.exists(path):
        return "not a file"
    return "a link to nothing" if os.path.islink(path) else "no such file"


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if not os.path.isfile(path):
        raise BadImageError(_no_file(path))
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise unreadable_file(error, b"") from None


def header_of(contents: bytes) -> Header:
    """As `header`, of encoded bytes."""
    return _header(io.BytesIO(contents))


def _header(file: BinaryIO) -> Header:
    from PIL import Image, UnidentifiedImageError

    start = file.read(8)
    if not start:
        raise BadImageError("an empty file")
    try:
        with Image.open(file) as image:
            kind, mode, (width, height) = image.format, image.mode, image.size
            exif = Image.Exif()
            exif.load(image.info.get("exif") or b"")  # not getexif(), which decodes a PNG whole, and heeds XMP
            turn = exif.get(TAG, 1)
    except Image.DecompressionBombError:
        raise BadImageError(f"an image of more than {MOST_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise BadImageError("not an image") from None
    except OSError as error:
        raise unreadable_file(error, start) from None
    except (
        ValueError,
        TypeError,
        SyntaxError,
        EOFError,
        struct.error,
    ):  # what Pillow's readers raise on damaged headers
        raise BadImageError(f"a damaged {format_of(start)}") from None
    if width * height > MOST_PIXELS:
        raise BadImageError(f"an image of more than {MOST_PIXELS:,} pixels")
    if kind not in FORMATS:
        raise BadImageError(f"a {kind} image, and only JPEG, PNG, BMP, GIF and WebP are read")
    if kind == "BMP" and mode in ("1", "P"):
        raise BadImageError("a BMP with a palette, which TensorFlow cannot decode")
    orientation = int(turn) if turn in range(1, 9) else 1
    sides = (width, height) if orientation >= 5 else (height, width)
    return Header(*sides, kind, orientation)


def read_image(tf: Any, path: str, channels: int) -> npt.NDArray[np.uint8]:
    """A whole file, its header checked, to uint8 (H, W, channels). Raises BadImageError."""
    contents = read_file(path)
    header_of(contents)
    return decode_bytes(tf, contents, channels)


def decode_bytes(tf: Any, contents: bytes, channels: int) -> npt.NDArray[np.uint8]:
    """As `decode`, at once. Raises BadImageError."""
    try:
        with tf.device("/cpu:0"):
            pixels: npt.NDArray[np.uint8] = _traced(channels)(tf.constant(contents)).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        raise BadImageError(f"a damaged {format_of(contents)}") from None
    return pixels


@functools.cache
def _traced(channels: int) -> Any:
    """`decode` as a graph: operation by operation the search for EXIF takes ten times as long as the pixels."""
    import tensorflow as tf

    return tf.function(
        lambda contents: decode(tf, contents, channels),
        input_signature=[tf.TensorSpec((), tf.string)],
        autograph=False,
    )


def unreadable_file(error: OSError, start: bytes) -> BadImageError:
    """The system's reason; without one, it was Pillow who found the file damaged."""
    return BadImageError(
        f"not readable: {error.strerror.lower()}" if error.strerror else f"a damaged {format_of(start)}"
    )


def format_of(contents: bytes) -> str:
    """The format that the first bytes announce: "JPEG", "PNG", ..., or "image"."""
    starts = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"BM": "BMP", b"GIF8": "GIF", b"RIFF": "WebP"}
    return next((name for start, name in starts.items() if contents.startswith(start)), "image")
