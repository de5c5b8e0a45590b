"""Feature maps as boxes, as in Figure 2 of Krizhevsky et al. 2012: height, width and channels in proportion.

Height is vertical, width goes back, channels go to the right. A network whose convolutions have two groups is drawn in
two halves, as the paper draws its two GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from archspec.drawings import svg
from archspec.drawings.font import text_width
from archspec.drawings.volumes.maps import Volume
from archspec.drawings.volumes.scale import DrawingScale
from archspec.drawings.volumes.stacks import polygon

BACK = (0.42, 0.3)
"""A pixel of width goes this much to the right and up."""
ROD = 9.0
GAP = 46.0
SIZE = 10.0
MARGIN = 22.0
LINE = 13.0
TALLEST = 250.0
"""Height of the largest feature map."""
FAMILIES = {"block": "block", "input": "input", "convolution": "convolution", "pooling": "pooling", "dense": "dense"}

Point = tuple[float, float]


class Solid(NamedTuple):
    """A box by its front lower left corner; `length` of the channels, `high` and `wide` of the map."""

    volume: Volume
    x: float
    y: float
    length: float
    high: float
    wide: float
    channels: int

    @property
    def width(self) -> float:
        """Of the drawing of the box."""
        return self.length + self.wide * BACK[0]

    @property
    def height(self) -> float:
        """Of the drawing of the box."""
        return self.high + self.wide * BACK[1]

    def at(self, channel: float, height: float, width: float) -> Point:
        """The place of a point of the box, each of its coordinates from 0 to 1."""
        x = self.x + channel * self.length + width * self.wide * BACK[0]
        return x, self.y - height * self.high - width * self.wide * BACK[1]


def draw_boxes(volumes: Sequence[Volume], scale: DrawingScale) -> tuple[str, float, float]:
    """The elements, the width and the height of the drawing."""
    halves = max(volume.groups for volume in volumes)
    halves = halves if halves == 2 else 1
    split = [halves if _is_split(volumes, number, halves) else 1 for number in range(len(volumes))]
    each = [(_box(volume, 0, 0, count, scale).height, count) for volume, count in zip(volumes, split, strict=True)]
    row = max(height for height, count in each if count == halves) + 3.2 * LINE
    rows = max(row * halves, max(height for height, _ in each) + 2 * LINE)
    x, columns = MARGIN + 14, []
    top = MARGIN + LINE
    for number, (volume, count) in enumerate(zip(volumes, split, strict=True)):
        if number:
            x += max([GAP, *(text_width(text, SIZE) + 14 for text in volume.captions)])
        centre = top + rows / 2
        boxes = []
        for half in range(count):
            box = _box(volume, x, 0, count, scale)
            middle = centre if count == 1 else centre + row * (half - 0.5)
            boxes.append(box._replace(y=middle + box.height / 2))
        columns.append(boxes)
        x += max(boxes[0].width, text_width(volume.name, SIZE))
    parts: list[str] = []
    for before, after in pairwise(columns):
        for box in after:
            parts += [part for each in _read(before, after, box) for part in _rays(each, box, scale)]
    for number, boxes in enumerate(columns):
        for box in boxes:
            parts += _faces(box)
            parts += _numbers(box)
        if number:
            parts += [part for each in columns[number - 1] for part in _window(each, boxes[0].volume, scale)]
    low = top + rows + LINE
    parts += _captions(volumes, columns, low)
    height = low + LINE * max(len(volume.captions) for volume in volumes) + MARGIN
    return "".join(parts), x + MARGIN + 26, height


def _is_split(volumes: Sequence[Volume], number: int, halves: int) -> bool:
    """Whether a volume is drawn in halves: all but the input and the output."""
    return halves > 1 and 0 < number < len(volumes) - 1 and volumes[number].size[2] % halves == 0


def _box(volume: Volume, x: float, y: float, parts: int, scale: DrawingScale) -> Solid:
    height, width, channels = volume.size
    channels //= parts
    if volume.is_vector:
        return Solid(volume, x, y, ROD, scale.rod(channels), ROD, channels)
    return Solid(volume, x, y, scale.depth(channels), scale.side(height), scale.side(width), channels)


def _read(before: Sequence[Solid], after: Sequence[Solid], box: Solid) -> Sequence[Solid]:
    """The boxes that a box reads: its own half if its convolution has groups."""
    grouped = len(before) == len(after) > 1 and box.volume.groups > 1
    return [before[after.index(box)]] if grouped else before


def _faces(box: Solid) -> Iterator[str]:
    """Front, top and right side; the side is the map of the last channel."""
    look = f"f-{FAMILIES[box.volume.kind]}"
    height, width, _ = box.volume.size
    front = [box.at(0, 0, 0), box.at(1, 0, 0), box.at(1, 1, 0), box.at(0, 1, 0)]
    upper = [box.at(0, 1, 0), box.at(1, 1, 0), box.at(1, 1, 1), box.at(0, 1, 1)]
    side = [box.at(1, 0, 0), box.at(1, 0, 1), box.at(1, 1, 1), box.at(1, 1, 0)]
    sizes = None if box.volume.is_vector else f"{height}x{width}x{box.channels}"
    units = str(box.channels) if box.volume.is_vector else None
    yield polygon(front, class_=look, data_box=sizes, data_units=units)
    yield polygon(upper, class_=f"{look} upper")
    yield polygon(side, class_=f"{look} side", data_map=None if sizes is None else f"{height}x{width}")


def _numbers(box: Solid) -> Iterator[str]:
    """Height, width and channels at the edges of the box; the length of a vector below it."""
    height, width, _ = box.volume.size
    x, y = box.at(0.5, 0, 0)
    yield svg.text(x, y + LINE, str(box.channels), SIZE, text_anchor="middle")
    if box.volume.is_vector:
        return
    x, y = box.at(0, 1, 0)
    yield svg.text(x - 3, y + SIZE * 0.2, str(height), SIZE, text_anchor="end")
    x, y = box.at(1, 0, 0.5)
    yield svg.text(x + 4, y + SIZE * 0.9, str(width), SIZE)


PLACE = (0.35, 0.3)
"""Where in a map its window begins, as shares of height and width."""


def _corners(box: Solid, kernel: tuple[int, int], scale: DrawingScale) -> list[Point]:
    """The window on the right side of a box, within the side."""
    high = min(1.0, scale.side(kernel[0]) / box.high)
    wide = min(1.0, scale.side(kernel[1]) / box.wide)
    low, near = min(PLACE[0], 1 - high), min(PLACE[1], 1 - wide)
    places = ((low, near), (low, near + wide), (low + high, near + wide), (low + high, near))
    return [box.at(1, height, width) for height, width in places]


def _window(box: Solid, after: Volume, scale: DrawingScale) -> Iterator[str]:
    if after.kernel is not None and not box.volume.is_vector:
        yield polygon(_corners(box, after.kernel, scale), class_="window")


def _rays(before: Solid, after: Solid, scale: DrawingScale) -> Iterator[str]:
    """Lines from the corners of the window, or from a whole vector or map, to a unit of the next volume."""
    kernel = after.volume.kernel
    if kernel is not None and not before.volume.is_vector:
        target = after.at(0, 0.55, 0.2)
        corners = _corners(before, kernel, scale)
        starts = [corners[1], corners[2]]
    else:
        target = after.at(0, 0.5, 0)
        starts = [before.at(1, 0, 1), before.at(1, 1, 1)]
    for start in starts:
        yield svg.line([start, target], 0, class_="ray" if kernel else "reads")


def _captions(volumes: Sequence[Volume], columns: Sequence[Sequence[Solid]], low: float) -> Iterator[str]:
    """What computes each volume, between the two; names of the spec below the volumes."""
    for number, volume in enumerate(volumes):
        box = columns[number][0]
        if volume.name:
            yield svg.text(box.x, low - LINE, volume.name, SIZE, class_="faint")
        if number == 0:
            continue
        before = columns[number - 1][0]
        middle = (before.x + max(before.width, text_width(before.volume.name, SIZE)) + box.x) / 2
        for row, text in enumerate(volume.captions):
            yield svg.text(middle, low + LINE * row, text, SIZE, text_anchor="middle", class_="faint")
