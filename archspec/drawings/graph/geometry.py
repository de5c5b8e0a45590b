"""Sizes: how large each block is in a view, and where its columns and rows are.

Everything is computed along two axes: *along* runs from the input to the output, *across* is the other one. A child
has an axis, on which its main ports lie, and extents before and behind that axis. `page.js` does the same for the
blocks that a reader opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archspec.drawings.font import shortened, text_width
from archspec.drawings.graph.grid import PITCH, Grid, Nets, make_grid, spread
from archspec.drawings.graph.labels import box_label, figures, shape_label
from archspec.drawings.graph.tracks import TRUNK
from archspec.drawings.graph.tree import Block
from archspec.drawings.graph.views import BlockView
from archspec.format import count
from archspec.graph.ir import Graph

FONT, SMALL = 11, 9
MOST_TEXT = 240
"""Pixels of the longest label; longer ones are cut."""
BOX = 22
"""Height of a box with one line of text."""
NARROWEST = 96
"""Width of the narrowest box in a drawing downwards."""
LINE = 12
"""Height of another line of text."""
PADDING = 8
HEADER = 18
"""Height of the title of a frame."""
GAP = 14
"""Between two columns."""
LANE = 6
"""Half the width of a passing net."""
TRACK = 7
"""Between two tracks."""
ARROW = 9
"""The last piece of an edge that ends in a box."""
STUB = 4
"""The first or last piece of an edge through a frame."""
LABEL = 15
"""The first piece of an edge downwards, which has a shape on it."""
STACK_GAP = 5
"""Between the layers of a stack."""


@dataclass
class Extent:
    """The extents of a child across, before and behind its axis, and its length along."""

    before: float
    behind: float
    length: float
    axes: list[float] = field(default_factory=list)
    """Of an open block: the axis of each column, from its first edge across. The last one is that of the trunk."""
    rows: list[tuple[float, float]] = field(default_factory=list)
    """Of an open block: where each row begins and ends, along."""


class Layout:
    """Measures the blocks of a graph in a view."""

    def __init__(self, graph: Graph, view: BlockView, down: bool = True, show: Sequence[str] = ()) -> None:
        self.graph, self.view, self.down, self.show = graph, view, down, show
        self._sizes: dict[int, Extent] = {}
        self._texts: dict[int, tuple[str, str]] = {}
        self._grids: dict[Nets, Grid] = {}

    def totals(self) -> str:
        """The parameters and MACs of the network."""
        return f"{count(self.graph.params)} params, {count(self.graph.macs)} MACs"

    def texts(self, block: Block) -> tuple[str, str]:
        """The lines of a box; the second may be empty."""
        found = self._texts.get(id(block))
        if found is None:
            first = shortened(box_label(self.graph, block), FONT, MOST_TEXT)
            found = self._texts[id(block)] = first, figures(self.graph, block, self.show) if self.show else ""
        return found

    def frame_title(self, block: Block) -> str:
        """The title of a frame."""
        return shortened(box_label(self.graph, block), SMALL, MOST_TEXT)

    def shape(self, net: int) -> str:
        """The label of a net."""
        return shape_label(self.graph.nodes[net].shape)

    def grid(self, block: Block, copies: str) -> Grid:
        """The grid of the children of a block, or of the `first` of them alone; equal blocks share it."""
        return self.shared_grid(relative_nets(block, copies))

    def shared_grid(self, nets: Nets) -> Grid:
        """The grid of these nets."""
        found = self._grids.get(nets)
        if found is None:
            found = self._grids[nets] = make_grid(nets)
        return found

    def is_box(self, block: Block) -> bool:
        """Whether edges end in it with an arrow and leave it with a shape: a box, or boxes without a frame."""
        return block.is_stack or not self.view.is_open(block)

    def has_label(self, block: Block) -> bool:
        """Whether a shape is drawn where a block ends: a box, or a repeat whose last copy has another shape."""
        if self.is_box(block) or not block.outputs:
            return self.is_box(block)
        last = block.outputs[-1]
        return self.shape(last) != self.shape(shown_net(block, last, self.view.copies(block)))

    def size(self, block: Block) -> Extent:
        """The size of a block."""
        found = self._sizes.get(id(block))
        if found is None:
            found = self._open_size(block) if self.view.is_open(block) else self._box_size(block)
            self._sizes[id(block)] = found
        return found

    def _box_size(self, block: Block) -> Extent:
        first, second = self.texts(block)
        width = max(text_width(first, FONT), text_width(second, SMALL)) + 2 * PADDING
        if self.down:
            shapes = [text_width(self.shape(net), SMALL) for net in block.outputs[-2:]]
            width = max(
                [width, NARROWEST, *(2 * (PITCH * (len(block.outputs) - 1) + each + 2 * STUB) for each in shapes)]
            )
        height = BOX + LINE * bool(second)
        across, along = (width, height) if self.down else (height, width)
        half = max(across / 2, PITCH * (max(len(block.inputs), len(block.outputs)) - 1) + STUB)  # holds all ports
        return Extent(half, half, along)

    def _open_size(self, block: Block) -> Extent:
        copies = self.view.copies(block)
        grid, children = self.grid(block, copies), block.body(copies)
        before, behind = [float(LANE)] * grid.columns, [float(LANE)] * grid.columns
        trunk_before = trunk_behind = 0.0
        lengths = []
        for row in grid.rows:
            longest = 0.0
            for cell in row:
                if cell.child < 0:
                    continue
                size = self.size(children[cell.child])
                longest = max(longest, size.length)
                offsets = [offset for _, offset in (*grid.ports_in[cell.child], *grid.ports_out[cell.child])]
                first = max(size.before, STUB - min(offsets, default=0))
                last = max(size.behind, STUB + max(offsets, default=0))
                if cell.column == TRUNK:
                    trunk_before, trunk_behind = max(trunk_before, first), max(trunk_behind, last)
                else:
                    before[cell.column] = max(before[cell.column], first)
                    behind[cell.column] = max(behind[cell.column], last)
            lengths.append(longest)
        axes = column_axes(before, behind, grid.trunk, trunk_before, trunk_behind)
        along, rows = self.head(block), []
        for number, length in enumerate(lengths):
            along += self._channel(block, children, grid, number)
            rows.append((along, along + length))
            along += length
        along += self._channel(block, children, grid, len(lengths))
        axis = axes[-1]
        first, last = axis, max(axes[-2] + behind[-1], axis + trunk_behind) - axis
        if has_frame(block):
            name = text_width(self.frame_title(block), SMALL) + 2 * PADDING
            first, last = first + (PADDING if self.down else HEADER), last + PADDING
            if self.down:
                first = max(first, name)
            else:
                along = max(along, name)
        return Extent(first, last, along, [each + first - axis for each in axes], rows)

    def head(self, block: Block) -> float:
        """The length of a block before its first channel."""
        return HEADER if self.down and has_frame(block) else 0

    def _channel(self, block: Block, children: Sequence[Block], grid: Grid, number: int) -> float:
        before, behind = self.channel(block, children, grid, number)
        return before + behind + TRACK * max(0, grid.tracks[number] - 1)

    def channel(self, block: Block, children: Sequence[Block], grid: Grid, number: int) -> tuple[float, float]:
        """The lengths of a channel before its first track and behind its last one."""
        is_first, is_last = number == 0, number == len(grid.rows)
        if (is_first or is_last) and not has_frame(block):
            return 0, 0
        if block.is_stack:
            return 0, STACK_GAP
        above = [] if is_first else [children[cell.child] for cell in grid.rows[number - 1] if cell.child >= 0]
        below = [] if is_last else [children[cell.child] for cell in grid.rows[number] if cell.child >= 0]
        nets = [child.outputs[-1] for child in above if child.outputs and self.has_label(child)]
        before: float = STUB
        if nets:
            before = LABEL if self.down else max(text_width(self.shape(net), SMALL) for net in nets) + 2 * STUB
        return before, ARROW if any(self.is_box(child) for child in below) else STUB


def has_frame(block: Block) -> bool:
    """Whether an open block has a frame."""
    return bool(block.path) and not block.is_stack


def relative_nets(block: Block, copies: str) -> Nets:
    """The nets of a block by numbers that do not depend on its place: from its start on; -1, -2, ... for its inputs."""
    start = block.start
    number = {net: -1 - place for place, net in enumerate(block.inputs)}
    children = block.body(copies)
    inputs = tuple(tuple([number.get(net, net - start) for net in child.inputs]) for child in children)
    leaving = tuple((shown_net(block, net, copies) - start, offset) for net, offset in spread(block.outputs))
    outputs = tuple(tuple([net - start for net in child.outputs]) for child in children)
    entering = tuple([number[net] for net in block.inputs])
    return Nets(tuple([child.is_layer for child in children]), inputs, outputs, entering, leaving)


def absolute_net(block: Block, net: int) -> int:
    """The node of a relative number."""
    return block.start + net if net >= 0 else block.inputs[-1 - net]


def shown_net(block: Block, net: int, copies: str) -> int:
    """The net of the first copy that stands for a net of any copy of a repeat."""
    if copies != "first":
        return net
    return block.start + (net - block.start) % (block.children[0].stop - block.start)


def column_axes(
    before: Sequence[float], behind: Sequence[float], trunk: tuple[int, int], trunk_before: float, trunk_behind: float
) -> list[float]:
    """The axes of the columns from the extents in them, and the axis of the trunk as the last one."""
    axes = [before[0]]
    for column in range(1, len(before)):
        axes.append(axes[-1] + behind[column - 1] + GAP + before[column])
    first, last = trunk
    middle = (axes[first] + axes[last]) / 2
    least = trunk_before + (axes[first - 1] + LANE + GAP if first else 0)
    if middle < least:
        axes[first:] = [axis + least - middle for axis in axes[first:]]
        middle = least
    if last + 1 < len(axes):
        missing = max(0, middle + trunk_behind + GAP + LANE - axes[last + 1])
        axes[last + 1 :] = [axis + missing for axis in axes[last + 1 :]]
    return [*axes, middle]
