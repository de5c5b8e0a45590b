"""Checks of an encoded image inside an exported graph, before it is decoded: its format, and its pixels by the header.

An exported model has no Pillow, which checks files elsewhere (`runtime.data.files.encoded_image`). TensorFlow allocates
whatever a header asks for, and misreads some formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.runtime.data.files.encoded_image import BGR, MOST_PIXELS, START, TOO_LARGE
from archspec.runtime.data.files.expansion import COMPRESSED_TEXT, LONG_TEXT, MOST_TEXT, least_room

GREY_RAMP = b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
"""The palette of a grey BMP: blue, green, red and an unused byte of each color."""
WEBP_KINDS = ("VP8 ", "VP8L", "VP8X")
ANIMATED = 0x02  # a flag of a VP8X chunk (RFC 9649, section 2.7.1)


def bounded_image(tf: Any, contents: Any) -> Any:
    """Encoded bytes (a scalar string tensor), unchanged; the graph checks them before anything that uses the result.

    Accepted are JPEG, PNG, WebP without animation, and BMP with 24 or 32 bits a pixel or grey, of up to MOST_PIXELS.
    GIF is refused, because TensorFlow decodes all its frames before any bound could apply.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs; it says what is wrong with the image.
    """
    padded = tf.strings.join([tf.strings.substr(contents, 0, START), bytes(START)])
    start = tf.strings.substr(padded, 0, START)
    data = tf.cast(tf.io.decode_raw(start, tf.uint8), tf.int64)[:START]
    kinds = [
        (tf.io.is_jpeg(contents), lambda: _area_fault(tf, _jpeg_area(tf, contents))),
        (_at(tf, start, 0, b"\x89PNG\r\n\x1a\n"), lambda: _png_fault(tf, contents, start, data)),
        (_at(tf, start, 0, b"BM"), lambda: _bmp_fault(tf, contents, start, data)),
        (_at(tf, start, 0, b"RIFF") & _at(tf, start, 8, b"WEBP"), lambda: _webp_fault(tf, start, data)),
        (_at(tf, start, 0, b"GIF8"), lambda: tf.constant("a GIF image; convert it to PNG or JPEG")),
    ]
    fault = tf.case(kinds, default=lambda: tf.constant("not an image in JPEG, PNG, BMP or WebP"))
    with tf.control_dependencies([tf.debugging.Assert(fault == "", [fault])]):
        return tf.identity(contents)


def _at(tf: Any, start: Any, offset: int, expected: bytes) -> Any:
    return tf.strings.substr(start, offset, len(expected)) == expected


def _number(data: Any, offset: int, size: int, order: str = "little") -> Any:
    """The unsigned number of `size` bytes at an offset: a scalar int64."""
    places = range(size) if order == "little" else reversed(range(size))
    return sum(data[offset + i] * (1 << 8 * place) for i, place in enumerate(places))


def _first(tf: Any, faults: Sequence[tuple[Any, str]]) -> Any:
    """The text of the first fault that is found, a scalar string; empty without one."""
    fault = tf.constant("")
    for found, text in reversed(faults):
        fault = tf.where(found, text, fault)
    return fault


def _area_fault(tf: Any, area: Any) -> Any:
    return _first(tf, [(area > MOST_PIXELS, TOO_LARGE), (area <= 0, "an image without pixels")])


def _jpeg_area(tf: Any, contents: Any) -> Any:
    height, width, _ = tf.unstack(tf.cast(tf.io.extract_jpeg_shape(contents), tf.int64))
    return height * width


def _png_fault(tf: Any, contents: Any, start: Any, data: Any) -> Any:
    """The first chunk is the header (W3C PNG, section 11.2.2). libpng expands all compressed texts (`expansion`)."""
    room = tf.constant(0, tf.int64)
    for kind in COMPRESSED_TEXT:
        parts = tf.strings.split(contents, kind)[1:]
        room += tf.reduce_sum(least_room(tf.cast(tf.strings.length(parts), tf.int64), tf.minimum))
    fault = _first(tf, [(~_at(tf, start, 12, b"IHDR"), "a damaged PNG"), (room > MOST_TEXT, LONG_TEXT)])
    area = _number(data, 16, 4, "big") * _number(data, 20, 4, "big")
    return tf.where(fault == "", _area_fault(tf, area), fault)


def _bmp_fault(tf: Any, contents: Any, start: Any, data: Any) -> Any:
    """As `encoded_image` refuses them: TensorFlow assumes 24 or 32 bits a pixel, or grey, and blue first."""
    header, bits, compression = _number(data, 14, 4), _number(data, 28, 2), _number(data, 30, 4)
    signed = [tf.where(side >= 1 << 31, (1 << 32) - side, side) for side in (_number(data, at, 4) for at in (18, 22))]
    grey = (header == 40) & (tf.strings.substr(contents, 54, len(GREY_RAMP)) == GREY_RAMP)
    faults = [
        (header < 40, "a BMP of OS/2"),
        ((bits != 24) & (bits != 32) & ~((bits == 8) & grey), "a BMP with a palette or few bits a pixel"),
        ((compression != 0) & (compression != 3), "a BMP with compression"),
        ((compression == 3) & ~_at(tf, start, 54, BGR), "a BMP with another order of channels"),
    ]
    fault = _first(tf, [(found, f"{text}; convert it to PNG or JPEG") for found, text in faults])
    return tf.where(fault == "", _area_fault(tf, signed[0] * signed[1]), fault)


def _webp_fault(tf: Any, start: Any, data: Any) -> Any:
    """The sides of the three kinds: RFC 6386 section 9.1, RFC 9649 sections 3.4 and 2.7.1."""
    lossy, lossless, extended = (_at(tf, start, 12, kind.encode()) for kind in WEBP_KINDS)
    packed = _number(data, 21, 4)  # 14 bits for each side less one
    area = tf.where(lossy, (_number(data, 26, 2) % (1 << 14)) * (_number(data, 28, 2) % (1 << 14)), 0)
    area = tf.where(lossless, (packed % (1 << 14) + 1) * (packed // (1 << 14) % (1 << 14) + 1), area)
    area = tf.where(extended, (_number(data, 24, 3) + 1) * (_number(data, 27, 3) + 1), area)
    animated = extended & (data[20] // ANIMATED % 2 == 1)
    known = lossy | lossless | extended
    faults = [(~known, "a damaged WebP"), (animated, "an animated WebP; convert it to PNG or JPEG")]
    fault = _first(tf, faults)
    return tf.where(fault == "", _area_fault(tf, area), fault)
