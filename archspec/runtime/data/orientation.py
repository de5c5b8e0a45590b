"""How a camera was held: the EXIF orientation of a JPEG, read and applied in the graph, so that it travels with it."""

from __future__ import annotations

from typing import Any

SEARCHED = 65536  # bytes: where EXIF is, it is among the first segments
ENTRY = 12  # bytes of an entry of a TIFF directory: tag, type, count, value
TAG = 0x0112
EXIF = b"Exif\x00\x00"
BEFORE_EXIF = 6  # bytes: the start of the image, the marker of the segment and its length
JFIF = 18  # bytes of the segment that some programs write before it


def orientation(tf: Any, contents: Any) -> Any:
    """The EXIF orientation of an encoded JPEG (a scalar string tensor), int32: 1, upright, to 8; 1 where it has none.

    1 upright, 2 mirrored, 3 by 180 degrees, 4 upside down, 5 transposed, 6 to be turned clockwise, 7 transposed across,
    8 to be turned counter-clockwise (Exif 2.3, section 4.6.4). A damaged directory counts as none.
    """

    def found(start: int) -> Any:
        return lambda: _in_tiff(tf, tf.strings.substr(contents, start + len(EXIF), SEARCHED))

    def stands(start: int) -> Any:
        # a short string has no such bytes: substr would refuse the position
        long_enough = tf.strings.length(contents) > start + len(EXIF)
        return long_enough & (tf.strings.substr(contents, tf.where(long_enough, start, 0), len(EXIF)) == EXIF)

    starts = (BEFORE_EXIF, BEFORE_EXIF + JFIF)
    return tf.case([(stands(start), found(start)) for start in starts], default=lambda: tf.constant(1))


def _in_tiff(tf: Any, tiff: Any) -> Any:
    """The value of the tag in the first directory of a TIFF header, int32; 1 where it is missing or impossible."""
    data = tf.cast(tf.io.decode_raw(tiff, tf.uint8), tf.int32)
    data = tf.concat([data, tf.zeros(8, tf.int32)], 0)  # at least a header
    length = tf.size(data)
    little = data[0] == ord("I")

    def number(pairs: Any) -> Any:
        """Numbers of two bytes, in the order of the file."""
        return tf.where(little, pairs[..., 0] + 256 * pairs[..., 1], 256 * pairs[..., 0] + pairs[..., 1])

    # an offset of 64 KiB or more is beyond what a segment holds
    offset = tf.where(little, number(data[4:6]), number(data[6:8]))
    offset = tf.minimum(offset, length - 2)
    count = tf.minimum(number(data[offset : offset + 2]), (length - offset - 2) // ENTRY)
    entries = tf.reshape(data[offset + 2 : offset + 2 + ENTRY * count], (-1, ENTRY))
    value = tf.where(number(entries[:, :2]) == TAG, number(entries[:, 8:10]), 0)
    value = tf.reduce_max(tf.concat([value, [0]], 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def turned(tf: Any, image: Any, value: Any) -> Any:
    """An image (H, W, C) of that EXIF orientation, upright: (H, W, C), or (W, H, C) from 5 on."""

    def upright() -> Any:
        # each is a transposition, or none, after the mirrorings
        rows = (value == 3) | (value == 4) | (value == 7) | (value == 8)
        columns = (value == 2) | (value == 3) | (value == 6) | (value == 7)
        turned = tf.cond(value >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
        turned = tf.cond(rows, lambda: tf.reverse(turned, [0]), lambda: turned)
        return tf.cond(columns, lambda: tf.reverse(turned, [1]), lambda: turned)

    shape = (None, None, image.shape[-1])
    return tf.ensure_shape(tf.cond(value == 1, lambda: image, upright), shape)
