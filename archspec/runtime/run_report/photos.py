"""The images of a report as JPEGs: small enough for one file, and large enough to see."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import numpy.typing as npt

from archspec.runtime.explain.explanation import Panel
from archspec.runtime.explain.map_scaling import Array, upsampled
from archspec.runtime.explain.picture import drawn, rgb_of
from archspec.runtime.run_report.content import Photo

LARGEST = 192
"""Pixels of the longest side; larger images are reduced."""
SMALL = 96
"""Pixels: smaller images are compressed less, and heat maps over them are enlarged, by an integer factor."""
MOST_BYTES = 18_000
"""Of a JPEG: images of much detail are compressed more, so that the page has a bounded size."""
QUALITIES = (85, 75, 60, 40, 20, 10)

Pixels = npt.NDArray[np.uint8]
"""Grey or RGB (H, W, 1 or 3)."""


def photo(pixels: Pixels) -> Photo:
    """The JPEG of an image."""
    from PIL import Image

    picture = Image.fromarray(rgb_of(pixels))
    longest = max(picture.size)
    if longest > LARGEST:
        width, height = (max(1, round(side * LARGEST / longest)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    for quality in (95,) if longest < SMALL else QUALITIES:
        contents = BytesIO()
        picture.save(contents, "JPEG", quality=quality, subsampling=0, optimize=True)
        if contents.tell() <= MOST_BYTES:
            break
    return Photo(contents.getvalue(), *picture.size)


def side_by_side(photos: Sequence[Photo], gap: int = 4) -> Photo:
    """Several images in a row, small ones enlarged; for Markdown, which does not enlarge them."""
    from PIL import Image

    pictures = []
    for each in photos:
        factor = max(1, -(-SMALL // max(each.width, each.height)))
        size = (each.width * factor, each.height * factor)
        pictures.append(Image.open(BytesIO(each.data)).convert("RGB").resize(size, Image.Resampling.NEAREST))
    width = sum(each.width + gap for each in pictures) - gap
    whole = Image.new("RGB", (width, max(each.height for each in pictures)), (255, 255, 255))
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + gap
    contents = BytesIO()
    whole.save(contents, "JPEG", quality=90, optimize=True)
    return Photo(contents.getvalue(), *whole.size)


def heat_photo(pixels: Pixels, heat: Array) -> Photo | None:
    """A map (h, w) over an image (H, W, C); None where it is zero everywhere."""
    if not heat.any():
        return None
    factor = max(1, -(-SMALL // max(pixels.shape[:2])))
    large = pixels.repeat(factor, 0).repeat(factor, 1)
    over = upsampled(heat, (large.shape[0], large.shape[1]))
    return photo(drawn(Panel("", over, "overlay"), large))
