"""The EXIF orientation of an image, read and applied in the TensorFlow graph, so that exported models apply it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LONGEST = 65536  # bytes of EXIF that are read
ENTRY = 12  # bytes of an entry in a TIFF directory: tag, type, count, value
TAG = 0x0112
EXIF = b"Exif\x00\x00"
HEAD = 10  # bytes at the start of a segment or chunk that identify it

Look = Callable[[Any], tuple[Any, Any]]
"""The first HEAD bytes of a segment, int64 -> (offset of EXIF in it or -1, distance to the next segment or 0)."""


def orientation(tf: Any, contents: Any) -> Any:
    """The EXIF orientation of an encoded image (a scalar string tensor), int32 from 1 to 8; 1 without EXIF.

    1 is upright, 2 mirrored, 3 rotated by 180 degrees, 4 flipped vertically, 5 transposed, 6 must be rotated clockwise,
    7 is transposed along the other diagonal, 8 must be rotated counter-clockwise (Exif 2.3, section 4.6.4). JPEG, PNG
    (before the pixels, as in Pillow) and WebP are read. A damaged directory gives 1.
    """
    start = tf.strings.join([tf.strings.substr(contents, 0, 16), bytes(16)])  # padded, for short files

    def within(first: int, look: Look) -> Callable[[], Any]:
        return lambda: _in(tf, contents, first, look)

    kinds = [
        (tf.io.is_jpeg(contents), within(2, lambda head: _jpeg(tf, head))),
        (tf.strings.substr(start, 1, 3) == b"PNG", within(8, lambda head: _png(tf, head))),
        (tf.strings.substr(start, 8, 8) == b"WEBPVP8X", within(12, lambda head: _webp(tf, head))),
    ]
    return tf.case(kinds, default=lambda: tf.constant(1), exclusive=False)


def _jpeg(tf: Any, head: Any) -> tuple[Any, Any]:
    """A segment: 0xff, kind, length (including its own two bytes). The search ends at the start of scan."""
    exif = (head[1] == 0xE1) & tf.reduce_all(head[4:] == list(EXIF))
    ends = (head[0] != 0xFF) | (head[1] == 0xDA) | (head[1] == 0xD9)
    return tf.where(exif, 4, -1), tf.where(ends, tf.zeros_like(head[2]), 2 + 256 * head[2] + head[3])


def _png(tf: Any, head: Any) -> tuple[Any, Any]:
    """A chunk: length of the data, kind, data, checksum. The search ends at the pixels."""
    exif, pixels = (tf.reduce_all(head[4:8] == list(kind)) for kind in (b"eXIf", b"IDAT"))
    length = tf.reduce_sum(head[:4] * [1 << 24, 1 << 16, 1 << 8, 1])
    return tf.where(exif, 8, -1), tf.where(pixels, tf.zeros_like(length), 12 + length)


def _webp(tf: Any, head: Any) -> tuple[Any, Any]:
    """A chunk: kind, length of the data, data, padded to an even length."""
    exif = tf.reduce_all(head[:4] == list(b"EXIF"))
    length = tf.reduce_sum(head[4:8] * [1, 1 << 8, 1 << 16, 1 << 24])
    return tf.where(exif, 8, -1), 8 + length + length % 2


def _in(tf: Any, contents: Any, first: int, look: Look) -> Any:
    """The orientation in a file whose segments begin at `first`."""
    size = tf.cast(tf.strings.length(contents), tf.int64)

    def going(offset: Any, found: Any) -> Any:
        return (found < 0) & (offset < size)

    def step(offset: Any, found: Any) -> tuple[Any, Any]:
        raw = tf.cast(tf.io.decode_raw(tf.strings.substr(contents, offset, HEAD), tf.uint8), tf.int64)
        head = tf.concat([raw, tf.zeros(HEAD, tf.int64)], 0)[:HEAD]
        place, further = (tf.cast(number, tf.int64) for number in look(head))
        return tf.where(further > 0, offset + further, size), tf.where(place >= 0, offset + place, found)

    start = (tf.constant(first, tf.int64), tf.constant(-1, tf.int64))
    _, found = tf.while_loop(going, step, start)

    def read() -> Any:
        tiff = tf.strings.substr(contents, tf.minimum(found, size), LONGEST)
        named = tf.strings.substr(tiff, 0, len(EXIF)) == EXIF
        return _in_tiff(tf, tf.cond(named, lambda: tf.strings.substr(tiff, len(EXIF), LONGEST), lambda: tiff))

    return tf.cond(found >= 0, read, lambda: tf.constant(1))


def _in_tiff(tf: Any, tiff: Any) -> Any:
    """The value of the tag in the first TIFF directory, int32; 1 if it is missing or invalid."""
    data = tf.cast(tf.io.decode_raw(tiff, tf.uint8), tf.int32)
    data = tf.concat([data, tf.zeros(8, tf.int32)], 0)  # padded, for a damaged header
    length = tf.size(data)
    little = data[0] == ord("I")

    def number(pairs: Any) -> Any:
        """Two-byte numbers in the byte order of the file."""
        return tf.where(little, pairs[..., 0] + 256 * pairs[..., 1], 256 * pairs[..., 0] + pairs[..., 1])

    # a segment holds less than 64 KiB, so two bytes of the offset suffice
    offset = tf.where(little, number(data[4:6]), number(data[6:8]))
    offset = tf.minimum(offset, length - 2)
    count = tf.minimum(number(data[offset : offset + 2]), (length - offset - 2) // ENTRY)
    entries = tf.reshape(data[offset + 2 : offset + 2 + ENTRY * count], (-1, ENTRY))
    value = tf.where(number(entries[:, :2]) == TAG, number(entries[:, 8:10]), 0)
    value = tf.reduce_max(tf.concat([value, [0]], 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def transposed(tf: Any, image: Any) -> Any:
    """(H, W, C) -> (W, H, C), by a gather: with tf.transpose of uint8, oneDNN prints an error."""
    height, width, channels = tf.unstack(tf.shape(image))
    places = tf.range(width)[:, None] + width * tf.range(height)
    return tf.gather(tf.reshape(image, (-1, channels)), places)


def turned(tf: Any, image: Any, value: Any) -> Any:
    """An image (H, W, C) with an EXIF orientation -> the upright image, (H, W, C), or (W, H, C) from orientation 5."""

    def upright() -> Any:
        # each orientation is a transposition, or none, after the flips
        rows = (value == 3) | (value == 4) | (value == 7) | (value == 8)
        columns = (value == 2) | (value == 3) | (value == 6) | (value == 7)
        turned = tf.cond(value >= 5, lambda: transposed(tf, image), lambda: image)
        turned = tf.cond(rows, lambda: tf.reverse(turned, [0]), lambda: turned)
        return tf.cond(columns, lambda: tf.reverse(turned, [1]), lambda: turned)

    shape = (None, None, image.shape[-1])
    return tf.ensure_shape(tf.cond(value == 1, lambda: image, upright), shape)
