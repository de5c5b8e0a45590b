"""What an image file says of itself, read without decoding it, and why it may not serve."""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from archspec.ops.base import counted
from archspec.runtime.data.files.orientation import TAG

MOST_PIXELS = 178_956_970
"""Height times width beyond which no image is decoded (Pillow's limit): 0.5 GiB as RGB. A PNG of 1 MB can hold more."""
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
START = 66  # bytes that tell the format, the bits a channel of a PNG, and the layout of a BMP
BGR = struct.pack("<3I", 0xFF0000, 0xFF00, 0xFF)
"""The masks of red, green and blue of a BMP whose pixels are in its usual order."""
COLOURS = {"1": "grey", "L": "grey", "LA": "grey", "P": "palette", "PA": "palette", "CMYK": "CMYK"}
"""By Pillow's mode; the rest are RGB."""
DEEP = {0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}
"""By the colour type of a PNG (W3C PNG, section 11.2.2)."""
ALPHA = {"grey": "grey and alpha", "palette": "palette and alpha", "RGB": "RGBA"}


class BadImageError(Exception):
    """Why a file cannot serve as an image, as a phrase: "a damaged JPEG"."""


class Header(NamedTuple):
    """What an image file says of itself: upright size, pixels; format; EXIF orientation (1 upright, to 8); mode.

    The mode is RGB, RGBA, grey, "grey and alpha", palette, "palette and alpha" or CMYK, with "16-bit " before it
    where a channel has so many. A palette one of whose colours is transparent counts as one with alpha.
    """

    height: int
    width: int
    format: str
    orientation: int
    mode: str = "RGB"

    @property
    def in_part(self) -> bool:
        """Whether a window of it can be decoded alone."""
        return self.format == "JPEG" and self.orientation == 1

    @property
    def alpha(self) -> bool:
        """Whether its pixels may be transparent."""
        return self.mode.endswith(("alpha", "RGBA"))


def read_header(path: str) -> tuple[int, int]:
    """(height, width) of an image file, pixels, upright, without decoding it. Raises BadImageError."""
    return header(path)[:2]


def header(path: str) -> Header:
    """The Header of an image file, without decoding it. Raises BadImageError."""
    with _opened(path) as file:
        return _header(file)


def header_of(contents: bytes) -> Header:
    """As `header`, of encoded bytes."""
    return _header(io.BytesIO(contents))


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


def _header(file: BinaryIO) -> Header:
    from PIL import Image, UnidentifiedImageError

    start = file.read(START)
    if not start:
        raise BadImageError("an empty file")
    if fault := _bmp_fault(start):
        raise BadImageError(f"a BMP {fault}, which TensorFlow cannot decode")
    try:
        with Image.open(file) as image:
            kind, mode, (width, height) = image.format, image.mode, image.size
            transparency = "transparency" in image.info
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
    if kind == "MPO":  # a JPEG with further ones behind it, as many cameras write; decoders see the first
        kind = "JPEG"
    if kind not in FORMATS:
        article = "an" if str(kind)[0] in "AEIO" else "a"
        raise BadImageError(f"{article} {kind} image, and only JPEG, PNG, BMP, GIF and WebP are read")
    if kind == "BMP" and mode in ("1", "P"):
        raise BadImageError("a BMP with a palette, which TensorFlow cannot decode")
    orientation = int(turn) if turn in range(1, 9) else 1
    sides = (width, height) if orientation >= 5 else (height, width)
    return Header(*sides, kind, orientation, _mode(mode, transparency, start))


def _mode(mode: str, transparency: bool, start: bytes) -> str:
    """Of Pillow's mode; of a PNG of 16 bits, which Pillow gives other modes, by its own colour type."""
    deep = start[12:16] == b"IHDR" and start[24] == 16
    if deep:
        mode = DEEP.get(start[25], mode)
    name = COLOURS.get(mode, "RGB")
    if transparency or mode.endswith("A"):
        name = ALPHA.get(name, name)
    return f"16-bit {name}" if deep else name


def _bmp_fault(start: bytes) -> str:
    """What TensorFlow misreads, "" if nothing: it takes 8, 24 and 32 bits a pixel as they lie, blue first."""
    if not start.startswith(b"BM") or len(start) < START:
        return ""
    if start[14] < 40:
        return "of OS/2"
    bits, compression = struct.unpack("<HI", start[28:34])
    if bits not in (8, 24, 32):
        return f"of {counted(bits, 'bit')} a pixel"
    if compression in (1, 2):
        return "that is compressed"
    if compression == 3 and start[54:66] != BGR:
        return "whose channels lie in another order"
    return ""


def transparent(contents: bytes) -> bool:
    """Whether a pixel of an encoded image with alpha is not opaque; True where Pillow cannot tell."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(contents)) as image:
            return bool(image.convert("RGBA").getchannel("A").getextrema()[0] < 255)  # type: ignore[operator]
    except Exception:  # whatever it stumbles over: TensorFlow has decoded it
        return True


def unreadable_file(error: OSError, start: bytes) -> BadImageError:
    """The system's reason; without one, it was Pillow who found the file damaged."""
    return BadImageError(
        f"not readable: {error.strerror.lower()}" if error.strerror else f"a damaged {format_of(start)}"
    )


def format_of(contents: bytes) -> str:
    """The format that the first bytes announce: "JPEG", "PNG", ..., or "image"."""
    starts = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"BM": "BMP", b"GIF8": "GIF", b"RIFF": "WebP"}
    return next((name for start, name in starts.items() if contents.startswith(start)), "image")
