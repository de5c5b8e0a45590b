"""Formats that TensorFlow does not decode: Pillow decodes TIFF, AVIF and HEIC, and TensorFlow reads them as PNG.

Also JPEG files that lack their last marker: TensorFlow refuses them, though every pixel may be there.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from archspec.diagnostics import counted

END_OF_JPEG = b"\xff\xd9"
"""The marker at the end of a JPEG; decoders ignore what follows it."""
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
FILLS = (b"\x00\x55\xaa\x33\x0f" * 64, b"\xb5\x12\x4a\xe1\x71" * 64)
"""Bytes after the end of a JPEG's data: they change pixels that are missing, and only these."""


class PillowError(Exception):
    """Why Pillow cannot convert an image, as a phrase."""


def pillow_format(start: bytes) -> str | None:
    """TIFF, AVIF or HEIC by the first 12 bytes of a file; None for formats of TensorFlow, and for other files."""
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if start[4:8] != b"ftyp":
        return None
    return "AVIF" if start[8:12] in (b"avif", b"avis") else "HEIC" if start[8:12] in HEIF_BRANDS else None


def needs_pillow(tf: Any, contents: Any) -> Any:
    """Whether encoded bytes, a scalar string tensor, are of such a format: a scalar bool tensor."""
    start, box = tf.strings.substr(contents, 0, 4), tf.strings.substr(tf.strings.join([contents, bytes(8)]), 4, 4)
    found = box == b"ftyp"
    for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        found = found | (start == magic)
    return found


def as_png(contents: bytes, kind: str, most_pixels: int) -> bytes:
    """An encoded image of `pillow_format` -> PNG, upright; the first page or frame. Raises PillowError."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if kind == "HEIC":
        with contextlib.suppress(ImportError):
            from pillow_heif import register_heif_opener  # type: ignore[import-not-found, unused-ignore]

            register_heif_opener()
    article = "an" if kind == "AVIF" else "a"
    try:
        with Image.open(io.BytesIO(contents)) as image:
            if image.width * image.height > most_pixels:
                raise PillowError(f"an image of more than {counted(most_pixels, 'pixel')}")
            mode = _png_mode(image.mode)
            if mode is None:
                raise PillowError(f"{article} {kind} of {image.mode} values; save 8 or 16 bits for each channel")
            image.load()
            upright = ImageOps.exif_transpose(image).convert(mode)
    except UnidentifiedImageError:
        install = "`pip install 'archspec-keras[heif]'`, or " if kind == "HEIC" else ""
        way = f"{install}convert it to PNG or JPEG"
        raise PillowError(f"{article} {kind} image that Pillow cannot read here: {way}") from None
    except PillowError:
        raise
    except Image.DecompressionBombError:
        raise PillowError(f"an image of more than {counted(most_pixels, 'pixel')}") from None
    except Exception:  # Pillow and libtiff raise errors of many kinds for damaged files
        raise PillowError(f"a damaged {kind}") from None
    png = io.BytesIO()
    upright.save(png, "PNG", compress_level=1)
    return png.getvalue()


def _png_mode(mode: str) -> str | None:
    """The mode of the PNG for a mode of Pillow; None for floats and 32-bit integers."""
    if mode.startswith("I;16"):
        return "I;16"
    if mode in ("F", "I"):
        return None
    modes = {"1": "L", "P": "RGBA", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
    return modes.get(mode, mode if mode in ("L", "LA", "RGB", "RGBA") else "RGB")


def lacks_end(contents: bytes) -> bool:
    """Whether a file is a JPEG without its last marker."""
    return contents.startswith(b"\xff\xd8\xff") and END_OF_JPEG not in contents[-4096:]


def with_end(tf: Any, contents: bytes) -> bytes:
    """A JPEG without its last marker, with it if every pixel is there; other files as they are.

    Pixels are missing where bytes after the data would change them. A progressive JPEG is not completed, because its
    last scans could be missing as a whole.
    """
    baseline = b"\xff\xc0" in contents or b"\xff\xc1" in contents
    if not lacks_end(contents) or not baseline:
        return contents
    data = contents.removesuffix(END_OF_JPEG[:1])
    try:
        decoded = [tf.io.decode_jpeg(data + fill + END_OF_JPEG).numpy() for fill in (b"", *FILLS)]
    except tf.errors.InvalidArgumentError:
        return contents
    same = all(np.array_equal(decoded[0], other) for other in decoded[1:])
    return contents + END_OF_JPEG if same else contents
