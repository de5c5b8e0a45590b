"""An image file inside a drawing."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from archspec.diagnostics import fail

QUALITY = 85


def data_uri(path: str | Path, width: int, height: int) -> str:
    """The centre of an image as a JPEG data URI, at most four times as large as `width` × `height` pixels.

    Raises:
        ArchspecError: `data-not-found`, `bad-images`.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except FileNotFoundError:
        raise fail("data-not-found", f"there is no file `{path}`", help="give the path of an image") from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise fail("bad-images", f"cannot read the image `{path}`: {error}", help="give a JPEG or PNG file") from None
    factor = max(1, min(2, image.width // width, image.height // height))
    image = ImageOps.fit(image, (width * factor, height * factor))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
