"""Pictures of maps: cells with a title and a color bar, blocks of one image each, contact sheets. Drawn with Pillow.

The color maps can be read with any color vision: viridis and cividis, and red-blue around 0 for signed maps.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import printable, visible
from archspec.runtime.explain.explanation import ExplainedImage, Panel

Pixels = npt.NDArray[np.uint8]
"""RGB (H, W, 3)."""

CELL, LARGEST = 144, 320  # pixels: smaller maps are enlarged by an integer factor, larger ones reduced
GAP, LINE, BAR = 8, 15, 10  # pixels between cells, of a line of text, of the width of a color bar
TICK = 54  # pixels for the numbers beside a color bar and its unit
FONT_SIZE, SMALL = 11, 10  # pixels
CELLS = 6  # cells in a row of one image, before they go on in the next row
SHEET_WIDTH = 1800  # pixels, if a block is not wider
OPACITY = 0.6  # of a map over the image
CLIPPED = 99.8  # percentile: a few extreme values would make the rest of a map invisible
INK, PALE, BACKGROUND = (30, 30, 30), (110, 110, 110), (255, 255, 255)
COLORS = {"overlay": "viridis", "heat": "cividis", "signed": "RdBu_r", "image": "gray"}
"""Kind of a map -> color map of matplotlib."""


@dataclass(frozen=True)
class ColorScale:
    """From the values of a map to the colors: `low` is the first color, `high` the last one."""

    low: float
    high: float
    clipped: bool
    """Whether larger values than `high` are drawn in its color."""


def scale_of(panel: Panel) -> ColorScale:
    """The scale of a map: from 0, symmetric for signed maps, without extreme values where the map is of pixels."""
    values = panel.values[np.isfinite(panel.values)]
    largest = float(np.abs(values).max(initial=0))
    if panel.kind == "overlay" or not largest:
        low = min(float(values.min(initial=0)), 0.0)
        return ColorScale(low, float(values.max(initial=0)), clipped=False)
    common = float(np.percentile(np.abs(values), CLIPPED))
    high = common if 0 < common < 0.7 * largest else largest
    if panel.kind in ("signed", "image"):
        return ColorScale(-high, high, high < largest)
    low = float(values.min())
    return ColorScale(min(low, 0.0) if panel.from_zero else low, high, high < largest)


def shaded(values: npt.NDArray[np.float32], scale: ColorScale, colors: str) -> Pixels:
    """Values (H, W) as colors; NaN is white."""
    from matplotlib import colormaps

    span = (scale.high - scale.low) or 1.0
    shares = np.clip((values - scale.low) / span, 0, 1)
    rgb: Pixels = np.array(colormaps[colors](np.nan_to_num(shares), bytes=True)[..., :3])
    rgb[np.isnan(values)] = 255
    return rgb


def rgb_of(pixels: Pixels) -> Pixels:
    """Grey or RGB pixels (H, W, 1 or 3) -> RGB."""
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def drawn(panel: Panel, pixels: Pixels) -> Pixels:
    """The picture of a map without its title and color bar."""
    scale = scale_of(panel)
    if panel.kind == "image":
        span = scale.high or 1.0
        levels = np.clip(127.5 + 127.5 * np.nan_to_num(panel.values, nan=span) / span, 0, 255)  # NaN is white
        return rgb_of(levels.astype(np.uint8))
    colors = shaded(panel.values, scale, COLORS[panel.kind])
    if panel.kind != "overlay":
        return colors
    grey = rgb_of(pixels).astype(np.float32).mean(axis=-1, keepdims=True)
    if panel.is_zero:
        return rgb_of(grey.astype(np.uint8))
    blended: Pixels = ((1 - OPACITY) * grey + OPACITY * colors).astype(np.uint8)
    return blended


@cache
def font(size: int = FONT_SIZE) -> Any:
    """DejaVu Sans of matplotlib, which has the letters of most alphabets."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def fitted_text(text: str, width: float, size: int = FONT_SIZE) -> str:
    """The text, cut to a width in pixels."""
    if font(size).getlength(text) <= width:
        return text
    while text and font(size).getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def cell(picture: Pixels, title: str, bar: Pixels | None = None) -> Pixels:
    """A picture with a title above it and a color bar beside it."""
    from PIL import Image, ImageDraw

    picture = sized(picture)
    height, width = picture.shape[:2]
    whole = Image.new("RGB", (width + (0 if bar is None else bar.shape[1]), height + LINE + 2), BACKGROUND)
    ImageDraw.Draw(whole).text((0, 0), fitted_text(title, whole.width), INK, font())
    whole.paste(Image.fromarray(picture), (0, LINE + 2))
    if bar is not None:
        whole.paste(Image.fromarray(bar), (width, LINE + 2))
    return np.asarray(whole)


def sized(picture: Pixels) -> Pixels:
    """A picture enlarged by an integer factor to CELL pixels, or reduced to LARGEST."""
    from PIL import Image

    longest = max(picture.shape[:2])
    if longest > LARGEST:
        height, width = (max(1, round(side * LARGEST / longest)) for side in picture.shape[:2])
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    factor = max(1, -(-CELL // longest))
    return picture.repeat(factor, 0).repeat(factor, 1)


def color_bar(scale: ColorScale, colors: str, height: int, unit: str) -> Pixels:
    """A bar with its ends numbered and its unit along it: RGB (height, ..., 3)."""
    from PIL import Image, ImageDraw

    whole = Image.new("RGB", (BAR + TICK + 4, height), BACKGROUND)
    ramp = np.linspace(scale.high, scale.low, height, dtype=np.float32)[:, None].repeat(BAR, 1)
    whole.paste(Image.fromarray(shaded(ramp, scale, colors)), (4, 0))
    draw = ImageDraw.Draw(whole)
    left = 4 + BAR + 3
    low, high = end_texts(scale)
    draw.text((left, -1), ("≥" if scale.clipped else "") + high, INK, font(SMALL))
    draw.text((left, height - SMALL - 3), low, INK, font(SMALL))
    text = fitted_text(unit, height - 2 * (SMALL + 6), SMALL)
    length = int(font(SMALL).getlength(text)) + 1
    label = Image.new("RGB", (max(length, 1), LINE), BACKGROUND)
    ImageDraw.Draw(label).text((0, 0), text, PALE, font(SMALL))
    whole.paste(label.rotate(90, expand=True), (left, (height - length) // 2))
    return np.asarray(whole)


def end_texts(scale: ColorScale) -> tuple[str, str]:
    """The ends of a scale in as many digits as tell them apart, three at least: `0.99993` and `0.99998`."""
    for digits in range(3, 7):
        low, high = number_text(scale.low, digits), number_text(scale.high, digits)
        if low != high:
            break
    return low, high


def number_text(value: float, digits: int = 3) -> str:
    """`0.0123`, `1.2e−5`."""
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if not -3 <= int(exponent) < 6:
        text = f"{float(mantissa):g}e{int(exponent)}"
    else:
        text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return text.replace("-", "−") if value else "0"


def panel_cell(panel: Panel, pixels: Pixels) -> Pixels:
    """A map with its title and color bar; a map that is zero everywhere says so."""
    picture = drawn(panel, pixels)
    if panel.is_zero:
        return cell(picture, f"{panel.title}: all zero", _blank_bar(sized(picture).shape[0]))
    bar = color_bar(scale_of(panel), COLORS[panel.kind], sized(picture).shape[0], panel.unit)
    return cell(picture, panel.title, bar)


def _blank_bar(height: int) -> Pixels:
    return np.full((height, BAR + TICK + 4, 3), 255, np.uint8)


def block(image: ExplainedImage) -> Pixels:
    """One image: its name, the image, then its maps."""
    cells = [cell(rgb_of(image.pixels), _truth(image))]
    cells += [panel_cell(panel, image.pixels) for panel in image.panels]
    lines = [side_by_side(cells[start : start + CELLS]) for start in range(0, len(cells), CELLS)]
    body = stacked(lines)
    return with_heading(body, short_name(image.file))


def short_name(file: str) -> str:
    """The last two words of a path, which often are class and image: `cat/0001.jpg`."""
    return printable(os.sep.join(file.rstrip(os.sep).split(os.sep)[-2:]))


def _truth(image: ExplainedImage) -> str:
    return "image" if image.label is None else f"true class: {visible(image.label)}"


def with_heading(picture: Pixels, heading: str) -> Pixels:
    """A picture under a line of text, which is cut to its width."""
    from PIL import Image, ImageDraw

    whole = Image.new("RGB", (picture.shape[1], picture.shape[0] + LINE + 4), BACKGROUND)
    ImageDraw.Draw(whole).text((0, 0), fitted_text(heading, whole.width), INK, font())
    whole.paste(Image.fromarray(picture), (0, LINE + 4))
    return np.asarray(whole)


def side_by_side(pictures: Sequence[Pixels], gap: int = GAP) -> Pixels:
    """Pictures in a row, aligned at the top."""
    height = max(each.shape[0] for each in pictures)
    return np.concatenate([_padded(each, height, each.shape[1] + gap) for each in pictures], 1)[:, : -gap or None]


def stacked(pictures: Sequence[Pixels], gap: int = GAP) -> Pixels:
    """Pictures below each other, aligned at the left."""
    width = max(each.shape[1] for each in pictures)
    return np.concatenate([_padded(each, each.shape[0] + gap, width) for each in pictures], 0)[: -gap or None]


def _padded(picture: Pixels, height: int, width: int) -> Pixels:
    whole = np.full((height, width, 3), 255, np.uint8)
    whole[: picture.shape[0], : picture.shape[1]] = picture
    return whole


def contact_sheet(blocks: Sequence[Pixels], heading: str) -> Pixels:
    """All blocks under a heading, as many in a row as fit; with a margin."""
    widest = max(each.shape[1] for each in blocks)
    columns = max(1, min(len(blocks), (SHEET_WIDTH + 2 * GAP) // (widest + 3 * GAP)))
    columns = min(columns, max(1, round(len(blocks) ** 0.5 + 0.4))) if len(blocks) > 3 else columns
    blocks = [_padded(each, each.shape[0], widest) for each in blocks]
    rows = [side_by_side(blocks[start : start + columns], 3 * GAP) for start in range(0, len(blocks), columns)]
    body = with_heading(stacked(rows, 2 * GAP), heading)
    return np.pad(body, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255)


def save_png(picture: Pixels, path: Any) -> None:
    """Write a picture as an optimized PNG."""
    from PIL import Image

    Image.fromarray(picture).save(path, "PNG", optimize=True)
