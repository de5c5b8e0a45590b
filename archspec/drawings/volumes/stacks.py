"""Feature maps one by one, as in Figure 2 of LeCun et al. 1998: `C1: feature maps 6@28x28`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from archspec.drawings import svg
from archspec.drawings.font import text_width
from archspec.drawings.volumes.maps import Volume
from archspec.drawings.volumes.scale import DrawingScale

STEP = 5.0
"""From a map to the one behind it, to the right and down."""
GAP = 34.0
SIZE = 11.0
MARGIN = 18.0
SHEAR = 0.45
"""Of the parallelograms that stand for vectors: width for each pixel of height."""
ROD = 7.0
LINE = 14.0
TALLEST = 170.0
"""Height of the largest feature map."""


class PlacedMaps(NamedTuple):
    """A volume with the upper left corner of its first map and the size of all its maps together."""

    volume: Volume
    x: float
    y: float
    width: float
    height: float


def draw_stacks(volumes: Sequence[Volume], scale: DrawingScale) -> tuple[str, float, float]:
    """The elements, the width and the height of the drawing."""
    labels = [_labels(volume, number, number == len(volumes) - 1) for number, volume in enumerate(volumes)]
    sizes = [_size(volume, scale) for volume in volumes]
    high = max(height for _, height in sizes)
    top = MARGIN + 2 * LINE + 8
    placed: list[PlacedMaps] = []
    x = MARGIN
    for volume, label, (width, height) in zip(volumes, labels, sizes, strict=True):
        wide = max(width, *(text_width(line, SIZE) for line in label))
        placed.append(PlacedMaps(volume, x + (wide - width) / 2, top + (high - height) / 2, width, height))
        x += wide + GAP
    parts: list[str] = []
    for each, label in zip(placed, labels, strict=True):
        parts += _maps(each, scale)
        middle, above = each.x + each.width / 2, each.y - 8
        for number, line in enumerate(reversed(label)):
            parts.append(svg.text(middle, above - LINE * number, line, SIZE, text_anchor="middle"))
    parts += [part for before, after in pairwise(placed) for part in _window(before, after, scale)]
    below = top + high + LINE + 14
    for before, after in pairwise(placed):
        middle = (before.x + before.width + after.x) / 2
        parts.append(svg.text(middle, below, _operation(after.volume), SIZE, text_anchor="middle", class_="faint"))
    return "".join(parts), x - GAP + MARGIN, below + MARGIN


def _labels(volume: Volume, number: int, last: bool) -> list[str]:
    height, width, channels = volume.size
    if volume.kind == "input":
        maps = "" if channels == 1 else f"{channels}@"
        return ["INPUT", f"{maps}{height}x{width}"]
    if volume.is_vector:
        return ["OUTPUT" if last else f"{volume.name}: layer" if volume.name else "layer", str(channels)]
    words = "feature maps" if number == 1 else "f. maps"
    return [f"{volume.name}: {words}" if volume.name else words, f"{channels}@{height}x{width}"]


def _operation(volume: Volume) -> str:
    if volume.is_vector:
        return "Full connection"
    return {"pooling": "Subsampling", "convolution": "Convolutions"}.get(volume.kind, "Convolutions")


def _size(volume: Volume, scale: DrawingScale) -> tuple[float, float]:
    height, width, channels = volume.size
    if volume.is_vector:
        length = scale.rod(channels)
        return ROD + length * SHEAR, length
    back = STEP * (channels - 1)
    return scale.side(width) + back, scale.side(height) + back


def _maps(each: PlacedMaps, scale: DrawingScale) -> Iterator[str]:
    """The maps, the first one in front; a vector is a thin parallelogram."""
    volume, x, y = each.volume, each.x, each.y
    height, width, channels = volume.size
    look = f"f-{'convolution' if volume.kind == 'block' else volume.kind}"
    if volume.is_vector:
        lean = each.width - ROD
        points = [(x, y), (x + ROD, y), (x + ROD + lean, y + each.height), (x + lean, y + each.height)]
        yield polygon(points, class_=look, data_units=str(channels))
        return
    wide, high = scale.side(width), scale.side(height)
    for number in range(channels):
        yield svg.rect(x + STEP * number, y + STEP * number, wide, high, class_=look, data_map=f"{height}x{width}")


def _window(before: PlacedMaps, after: PlacedMaps, scale: DrawingScale) -> Iterator[str]:
    """The window in the front map, and lines from it to the unit that it computes."""
    if before.volume.is_vector or after.volume.kernel is None or after.volume.is_vector:
        return
    count = before.volume.size[2] - 1
    high, wide = (scale.side(side) for side in after.volume.kernel)
    front_wide, front_high = scale.side(before.volume.size[1]), scale.side(before.volume.size[0])
    x = before.x + STEP * count + front_wide * 0.58
    y = before.y + STEP * count + front_high * 0.18
    x, y = min(x, before.x + before.width - wide), min(y, before.y + before.height - high)
    to_x = after.x + STEP * (after.volume.size[2] - 1) + scale.side(after.volume.size[1]) * 0.3
    to_y = after.y + STEP * (after.volume.size[2] - 1) + scale.side(after.volume.size[0]) * 0.45
    yield svg.rect(x, y, wide, high, class_="window")
    for corner_x, corner_y in ((x + wide, y), (x + wide, y + high)):
        yield svg.line([(corner_x, corner_y), (to_x, to_y)], 0, class_="ray")
    yield svg.rect(to_x - 1.5, to_y - 1.5, 3, 3, class_="window")


def polygon(points: Sequence[tuple[float, float]], **attributes: str | float | None) -> str:
    """A closed shape."""
    shown = " ".join(f"{svg.number(x)},{svg.number(y)}" for x, y in points)
    return svg.element("polygon", points=shown, stroke_linejoin="round", **attributes)
