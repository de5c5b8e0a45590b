"""What a small image file can expand to beyond the pixels of its header: texts of a PNG, frames of a GIF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

COMPRESSED_TEXT = (b"zTXt", b"iTXt")
"""Chunks of a PNG with compressed text (W3C PNG, section 11.3.3), which libpng expands while it decodes the pixels."""
EXPANSION = 1032
"""The most bytes that one byte of deflate can expand to (zlib, "Technical Details")."""
LONGEST_TEXT = 8_000_000
"""Bytes of a text at which libpng stops (PNG_USER_CHUNK_MALLOC_MAX)."""
MOST_TEXT = 64_000_000
LONG_TEXT = f"a PNG whose compressed texts may need more than {MOST_TEXT // 10**6} MB"
FRAME, EXTENSION = 0x2C, 0x21  # first bytes of the blocks of a GIF (GIF89a, sections 20 and 23 to 26)


def least_room(length: Any, minimum: Callable[[Any, Any], Any]) -> Any:
    """A bound on the bytes that a compressed chunk of this length expands to, for integers or tensors."""
    return minimum(length * EXPANSION, LONGEST_TEXT)


def has_long_text(contents: bytes) -> bool:
    """Whether the compressed texts of an encoded PNG may expand to more than MOST_TEXT bytes.

    A chunk counts up to the next one of its kind, which is an upper bound that needs no walk over the chunks.
    """
    parts = [part for kind in COMPRESSED_TEXT for part in contents.split(kind)[1:]]
    return bool(sum(least_room(len(part), min) for part in parts) > MOST_TEXT)


def without_texts(contents: bytes) -> bytes:
    """A PNG without its text chunks, which Pillow refuses from 1 MB on; libpng stops at LONGEST_TEXT and decodes it."""
    parts, at = [contents[:8]], 8
    while at + 8 <= len(contents):
        end = at + 12 + int.from_bytes(contents[at : at + 4], "big")
        if contents[at + 4 : at + 8] not in (b"tEXt", *COMPRESSED_TEXT):
            parts.append(contents[at:end])
        at = end
    return b"".join(parts)


def gif_pixels(contents: bytes) -> int:
    """The pixels of all frames of a GIF together: TensorFlow decodes all of them, even if only the first is used."""

    def color_table(flags: int) -> int:
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    pixels = 0
    try:
        at = 13 + color_table(contents[10])
        while contents[at] in (FRAME, EXTENSION):
            if contents[at] == FRAME:
                width, height = (int.from_bytes(contents[at + i : at + i + 2], "little") for i in (5, 7))
                pixels += width * height
                at += 11 + color_table(contents[at + 9])
            else:
                at += 2
            while contents[at]:  # the length of a sub-block
                at += contents[at] + 1
            at += 1
    except IndexError:  # the file is cut off
        pass
    return pixels
