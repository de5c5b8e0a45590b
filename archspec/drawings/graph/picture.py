"""Positions: the boxes, shapes and edges of a measured graph in x and y."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archspec.drawings.font import text_width
from archspec.drawings.graph.geometry import SMALL, STUB, TRACK, Layout, absolute_net, has_frame
from archspec.drawings.graph.grid import PITCH, Grid, Wire
from archspec.drawings.graph.tracks import End
from archspec.drawings.graph.tree import Block

Point = tuple[float, float]


class Box(NamedTuple):
    """A layer, a folded block, or the frame of an open one."""

    block: Block
    x: float
    y: float
    width: float
    height: float
    is_frame: bool


class Label(NamedTuple):
    """The shape of a net, as a text whose baseline starts at (x, y)."""

    net: int
    x: float
    y: float
    text: str


class Edge(NamedTuple):
    """A piece of a net, from its source on."""

    net: int
    points: tuple[Point, ...]
    ends_in_box: bool
    """Whether it has an arrow head."""


@dataclass
class Picture:
    """All that a drawing of a graph consists of."""

    width: float
    height: float
    boxes: list[Box] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


class OpenBlock(NamedTuple):
    """An open block in its place."""

    block: Block
    children: tuple[Block, ...]
    grid: Grid
    start: float
    end: float
    axes: list[float]
    rows: list[tuple[float, float]]


def picture(layout: Layout, root: Block, margin: float) -> Picture:
    """The picture of a block with a margin around it."""
    size = layout.size(root)
    across, along = size.before + size.behind + 2 * margin, size.length + 2 * margin
    made = Picture(across, along) if layout.down else Picture(along, across)
    _Placer(layout, made).block(root, margin + size.before, margin)
    return made


def branches(
    start: float, top: float, level: float, bottom: float, ends: Sequence[tuple[float, bool]]
) -> Iterator[tuple[list[Point], bool]]:
    """The lines of a net in a channel, from (start, top) along a track to each end at the bottom.

    No two lines share a piece: the line to the farthest end on each side runs along the track, the others start there.
    """
    is_drawn = False
    for to, mark in ends:
        if to == start:
            yield [(start, top), (to, bottom)], mark
            is_drawn = True
    for sign in (-1, 1):
        side = sorted((end for end in ends if (end[0] - start) * sign > 0), key=lambda end: -sign * end[0])
        for number, (to, mark) in enumerate(side):
            points = [(to, level), (to, bottom)]
            if not number:
                points.insert(0, (start, level))
                if not is_drawn:
                    points.insert(0, (start, top))
                is_drawn = True
            yield points, mark


class _Placer:
    def __init__(self, layout: Layout, picture: Picture) -> None:
        self.layout, self.picture = layout, picture

    def point(self, across: float, along: float) -> Point:
        return (across, along) if self.layout.down else (along, across)

    def block(self, block: Block, axis: float, start: float, stack: tuple[float, float] | None = None) -> None:
        """Place a block on its axis; the layers of a stack have the extents of the stack."""
        layout, size = self.layout, self.layout.size(block)
        is_open = layout.view.is_open(block)
        before, behind = stack or (size.before, size.behind)
        if not is_open or has_frame(block):
            corner, extent = self.point(axis - before, start), self.point(before + behind, size.length)
            self.picture.boxes.append(Box(block, *corner, *extent, is_open))
        if not is_open:
            return
        axes = [axis - size.before + each for each in size.axes]
        rows = [(start + first, start + last) for first, last in size.rows]
        copies = layout.view.copies(block)
        grid, children = layout.grid(block, copies), block.body(copies)
        frame = OpenBlock(block, children, grid, start, start + size.length, axes, rows)
        for number in range(len(grid.channels)):
            self._channel(frame, number)
        for row, (first, last) in zip(grid.rows, rows, strict=True):
            for cell in row:
                if cell.child >= 0:
                    child = children[cell.child]
                    self.block(child, axes[cell.column], first, (before, behind) if block.is_stack else None)
                else:
                    ends = self.point(axes[cell.column], first), self.point(axes[cell.column], last)
                    self.picture.edges.append(Edge(absolute_net(block, cell.net), ends, False))

    def _channel(self, frame: OpenBlock, number: int) -> None:
        """The edges between two rows, and the shapes on them."""
        block, children, grid, rows = frame.block, frame.children, frame.grid, frame.rows
        above: dict[int, float] = {}  # net -> where the child ends that has it
        boxes: set[End] = set()
        if number:
            top = rows[number - 1][1]
            for cell in grid.rows[number - 1]:
                if cell.child >= 0:
                    child = children[cell.child]
                    end = rows[number - 1][0] + self.layout.size(child).length
                    above.update((net, end) for net, _ in grid.ports_out[cell.child])
                    if self.layout.has_label(child) and not block.is_stack:
                        self._labels(frame, child, frame.axes[cell.column], end)
        else:
            top = frame.start
        if number < len(rows):
            bottom = rows[number][0]
            for cell in grid.rows[number]:
                if cell.child >= 0 and self.layout.is_box(children[cell.child]) and not block.is_stack:
                    boxes.update(End(cell.column, offset) for _, offset in grid.ports_in[cell.child])
        else:
            bottom = frame.end
        before, _ = self.layout.channel(block, children, grid, number)
        level = top + before + (0 if number else self.layout.head(block))
        for wire in grid.channels[number]:
            self._wire(frame, wire, above.get(wire.net, top), bottom, level + TRACK * max(0, wire.track), boxes)

    def _wire(self, frame: OpenBlock, wire: Wire, top: float, bottom: float, level: float, boxes: set[End]) -> None:
        net = absolute_net(frame.block, wire.net)
        start = frame.axes[wire.above.column] + wire.above.offset
        ends = [(frame.axes[end.column] + end.offset, end in boxes) for end in wire.below]
        for points, ends_in_box in branches(start, top, level, bottom, ends):
            if points[0] != points[-1]:
                placed = tuple([self.point(*each) for each in points])
                self.picture.edges.append(Edge(net, placed, ends_in_box))

    def _labels(self, frame: OpenBlock, child: Block, axis: float, end: float) -> None:
        """The shapes of the outputs of a box: the main one, and another one on the other side."""
        for place, net in enumerate(child.outputs[-2:][::-1]):
            text = self.layout.shape(net)
            width = text_width(text, SMALL)
            several = len(child.outputs) > 1
            if self.layout.down:
                x = axis - STUB - width if several and not place else axis + STUB + PITCH * (len(child.outputs) - 1)
                self.picture.labels.append(Label(net, x, end + 11, text))
            else:
                y = axis - 3 if not place else axis + PITCH * (len(child.outputs) - 1) + 10
                self.picture.labels.append(Label(net, end + STUB + 2, y, text))
