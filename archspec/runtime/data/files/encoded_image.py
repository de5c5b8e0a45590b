"""Encoded images: where the bytes are (EncodedImage), and their headers, read without decoding (Header).

BadImageError says why a file cannot be used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted, printable
from archspec.runtime.data.files.expansion import LONG_TEXT, gif_pixels, has_long_text, without_texts
from archspec.runtime.data.files.orientation import TAG
from archspec.runtime.data.files.pillow_formats import END_OF_JPEG, PillowError, as_png, needs_pillow, pillow_format
from archspec.runtime.data.images import DIGEST, Images

Stamp = tuple[int, int, int]
"""Size in bytes, mtime and ctime in ns of a file. A program can set mtime back, but not ctime."""
MISSING: Stamp = (-1, 0, 0)
"""The stamp of a file that does not exist."""


class EncodedImage(NamedTuple):
    """Where an encoded image is: `length` bytes of a file from `offset`, or the whole file if `length` is -1."""

    file: str
    offset: int = 0
    length: int = -1

    def __str__(self) -> str:
        return printable(self.file) + (f" at byte {self.offset:,}" if self.length >= 0 else "")

    def read(self) -> bytes:
        """The encoded bytes. Raises BadImageError."""
        with opened(self.file) as file:
            file.seek(self.offset)
            return file.read(self.length)


def encoded_images(images: Images) -> list[EncodedImage]:
    """The images of `files`, in their order."""
    if images.spans is None:
        return [EncodedImage(file) for file in images.files or ()]
    return [EncodedImage(file, *span) for file, span in zip(images.files or (), images.spans.tolist(), strict=True)]


def reader(tf: Any, images: Images) -> Any:
    """The function from a row number, a scalar tensor, to the encoded bytes of its image, a scalar string tensor."""
    with tf.device("/cpu:0"):
        files = tf.constant([os.fsencode(file) for file in images.files or ()])
        spans = None if images.spans is None else tf.constant(images.spans)

    def read(row: Any) -> Any:
        if spans is None:
            return tf.io.read_file(files[row])
        part = tf.numpy_function(_read_part, (files[row], spans[row]), tf.string, stateful=False)
        return tf.ensure_shape(part, ())

    noisy = None if images.noisy is None or not images.noisy.any() else tf.constant(images.noisy)

    def converted(contents: Any) -> Any:
        png = tf.numpy_function(_png_or_empty, (contents,), tf.string, stateful=False)
        return tf.ensure_shape(png, ())

    def readable(row: Any) -> Any:
        contents = read(row)
        # the files were checked: what has no last marker lacks nothing else
        complete = tf.where(tf.io.is_jpeg(contents), tf.strings.join([contents, END_OF_JPEG]), contents)
        by_pillow = needs_pillow(tf, contents)
        if noisy is not None:
            by_pillow = by_pillow | noisy[row]
        return tf.cond(by_pillow, lambda: converted(contents), lambda: complete)

    return readable


def _read_part(name: bytes, span: Any) -> bytes:
    try:
        return EncodedImage(os.fsdecode(name), *map(int, span)).read()
    except BadImageError:
        return b""  # no decoder accepts it


def _png_or_empty(contents: bytes) -> bytes:
    try:
        return as_png(contents, pillow_format(contents[:START]) or "JPEG", MOST_PIXELS)
    except PillowError:
        return b""  # no decoder accepts it


def decodable(contents: bytes) -> bytes:
    """Encoded bytes as TensorFlow can decode them: TIFF, AVIF and HEIC as PNG. Raises BadImageError."""
    kind = pillow_format(contents[:START])
    try:
        return contents if kind is None else as_png(contents, kind, MOST_PIXELS)
    except PillowError as error:
        raise BadImageError(str(error)) from None


def digest_of(contents: bytes) -> bytes:
    """The first half of SHA-256: 16 bytes."""
    return hashlib.sha256(contents).digest()[:DIGEST]


def stamp_of(file: str) -> Stamp:
    """The stamp of a file."""
    try:
        status = os.stat(file)
    except OSError:
        return MISSING
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


MOST_PIXELS = 178_956_970
"""Larger images are not decoded (Pillow's limit): 0.5 GiB as RGB. A PNG of 1 MB can hold more pixels."""
TOO_LARGE = f"an image of more than {MOST_PIXELS:,} pixels"
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
PNG = b"\x89PNG\r\n\x1a\n"
START = 66  # bytes that hold the format, the bit depth of a PNG, and the layout of a BMP
BGR = struct.pack("<3I", 0xFF0000, 0xFF00, 0xFF)
"""The masks of red, green and blue of a BMP with the usual order of channels."""
COLORS = {"1": "grey", "L": "grey", "LA": "grey", "P": "palette", "PA": "palette", "CMYK": "CMYK"}
"""By Pillow's mode; other modes are RGB."""
PNG_MODES = {0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}
"""Pillow's modes by the color type of a PNG (W3C PNG, section 11.2.2)."""
ALPHA = {"grey": "grey and alpha", "palette": "palette and alpha", "RGB": "RGBA"}


class BadImageError(Exception):
    """The reason why a file cannot be used as an image, as a phrase: "a damaged JPEG"."""


class Header(NamedTuple):
    """The header of an image file: upright height and width in pixels, format, EXIF orientation (1 to 8), mode.

    The mode is RGB, RGBA, grey, "grey and alpha", palette, "palette and alpha" or CMYK, with the prefix "16-bit " for
    16 bits a channel. A palette with a transparent color counts as "palette and alpha".
    """

    height: int
    width: int
    format: str
    orientation: int
    mode: str = "RGB"
    several: bool = False
    """Whether the file has further frames or pages (GIF, WebP, PNG, TIFF): only the first is read."""

    @property
    def in_part(self) -> bool:
        """Whether a window of the image can be decoded alone: of an upright JPEG."""
        return self.format == "JPEG" and self.orientation == 1

    @property
    def colored(self) -> bool:
        """Whether it is stored in color: a palette counts too, and an array of unknown mode does not."""
        return bool(self.mode) and not self.mode.removeprefix("16-bit ").startswith("grey")

    @property
    def alpha(self) -> bool:
        """Whether pixels may be transparent."""
        return self.mode.endswith(("alpha", "RGBA"))


def header(path: str) -> Header:
    """The header of an image file. Raises BadImageError."""
    with opened(path) as file:
        return _header(file)


def header_of(contents: bytes) -> Header:
    """The header of an encoded image, which is bounded in all that TensorFlow decodes of it. Raises BadImageError."""
    if contents.startswith(b"\x89PNG"):
        _refuse({LONG_TEXT: has_long_text(contents)})
    if contents.startswith(b"GIF8"):
        _refuse({f"a GIF whose frames have more than {MOST_PIXELS:,} pixels": gif_pixels(contents) > MOST_PIXELS})
    return _header(io.BytesIO(contents))


def image_sides(images: Images) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """`sides` and `in_part` of all images, read from the headers of the files if unknown. Raises BadImageError."""
    if images.pixels is not None:
        sides = np.broadcast_to(np.array(images.pixels.shape[1:3], np.int32), (len(images), 2))
        return sides, np.zeros(len(images), np.bool_)
    if images.sides is not None and images.in_part is not None:
        return images.sides, images.in_part
    headers = [header(file) for file in images.files or ()]
    sides = np.array([each[:2] for each in headers], np.int32).reshape(-1, 2)
    return sides, np.array([each.in_part for each in headers], np.bool_)


def typical_side(images: Images) -> int:
    """The median of the smallest sides, in pixels."""
    return int(np.median(image_sides(images)[0].min(axis=1)))


@contextlib.contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file, opened for reading. Raises BadImageError."""
    if not os.path.isfile(path):
        broken = "a broken link" if os.path.islink(path) else "no such file"
        raise BadImageError("not a file" if os.path.exists(path) else broken)
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise unreadable_file(error, b"") from None


def _header(file: BinaryIO) -> Header:
    from PIL import Image, UnidentifiedImageError

    start = file.read(START)
    if kind := pillow_format(start):
        contents = start + file.read()
        found = header_of(decodable(contents))
        return found._replace(format=kind, several=_has_pages(contents))
    _refuse({"an empty file": not start, **_bmp_faults(start)})
    try:
        with Image.open(file) as image:
            mode, (width, height) = image.mode, image.size
            # cameras write several JPEGs into one MPO; decoders read the first
            kind = "JPEG" if image.format == "MPO" else str(image.format)
            transparency = "transparency" in image.info
            several = kind != "JPEG" and bool(getattr(image, "is_animated", False))
            exif = Image.Exif()
            exif.load(image.info.get("exif") or b"")  # getexif() would decode a PNG and read XMP
            turn = exif.get(TAG, 1)
    except Image.DecompressionBombError:
        raise BadImageError(TOO_LARGE) from None
    except UnidentifiedImageError:
        raise BadImageError("not an image") from None
    except OSError as error:
        raise unreadable_file(error, start) from None
    except (ValueError, TypeError, SyntaxError, EOFError, struct.error):  # Pillow raises them for damaged headers
        if (shorter := _png_without_texts(file)) is not None:
            return _header(io.BytesIO(shorter))
        raise BadImageError(f"a damaged {format_of(start)}") from None
    article = "an" if kind[0] in "AEIO" else "a"
    _refuse(
        {
            TOO_LARGE: width * height > MOST_PIXELS,
            f"{article} {kind} image; convert it to PNG or JPEG": kind not in FORMATS,
            "a BMP with a palette, which TensorFlow cannot decode; convert it to PNG or JPEG": kind == "BMP"
            and mode in ("1", "P"),
        }
    )
    orientation = int(turn) if turn in range(1, 9) else 1
    sides = (width, height) if orientation >= 5 else (height, width)
    return Header(*sides, kind, orientation, _mode(mode, transparency, start), several)


def _has_pages(contents: bytes) -> bool:
    """Whether an image that Pillow has decoded has a second page or frame."""
    from PIL import Image

    with Image.open(io.BytesIO(contents)) as image:
        return bool(getattr(image, "is_animated", False))


def _png_without_texts(file: BinaryIO) -> bytes | None:
    """A PNG without its texts; None for another file and without texts. Raises BadImageError for very long ones."""
    file.seek(0)
    if file.read(len(PNG)) != PNG:
        return None
    contents = PNG + file.read()
    _refuse({LONG_TEXT: has_long_text(contents)})
    shorter = without_texts(contents)
    return None if shorter == contents else shorter


def _mode(mode: str, transparency: bool, start: bytes) -> str:
    """From Pillow's mode, or from the color type of a 16-bit PNG, for which Pillow has other modes."""
    deep = start[12:16] == b"IHDR" and start[24] == 16
    if deep:
        mode = PNG_MODES.get(start[25], mode)
    name = COLORS.get(mode, "RGB")
    if transparency or mode.endswith("A"):
        name = ALPHA.get(name, name)
    return f"16-bit {name}" if deep else name


def _refuse(faults: Mapping[str, bool]) -> None:
    """Raises BadImageError with the first fault that an image has."""
    for fault, found in faults.items():
        if found:
            raise BadImageError(fault)


def _bmp_faults(start: bytes) -> dict[str, bool]:
    """Why TensorFlow would misread a BMP: it assumes 8, 24 or 32 bits a pixel, uncompressed, blue first."""
    if not start.startswith(b"BM") or len(start) < START:
        return {}
    bits, compression = struct.unpack("<HI", start[28:34])
    faults = {
        "of OS/2": start[14] < 40,
        f"with {counted(bits, 'bit')} a pixel": bits not in (8, 24, 32),
        "with compression": compression in (1, 2),
        "with another order of channels": compression == 3 and start[54:66] != BGR,
    }
    return {
        f"a BMP {fault}, which TensorFlow cannot decode; convert it to PNG or JPEG": found
        for fault, found in faults.items()
    }


def transparent(contents: bytes) -> bool:
    """Whether a pixel of an encoded image with alpha is not opaque; True if Pillow cannot decode it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(contents)) as image:
            return bool(image.convert("RGBA").getchannel("A").getextrema()[0] < 255)  # type: ignore[operator]
    except Exception:  # of any kind: TensorFlow could decode the image
        return True


def unreadable_file(error: OSError, start: bytes) -> BadImageError:
    """The error of the operating system, or, without `strerror`, of Pillow for a damaged file."""
    reason = f"not readable: {error.strerror.lower()}" if error.strerror else f"a damaged {format_of(start)}"
    return BadImageError(reason)


def format_of(contents: bytes) -> str:
    """The format according to the first bytes: "JPEG", "PNG", ..., or "image"."""
    starts = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"BM": "BMP", b"GIF8": "GIF", b"RIFF": "WebP"}
    return next((name for start, name in starts.items() if contents.startswith(start)), "image")
