"""The grid of a block: a row for each distance from its inputs, a column for each branch, and tracks between the rows.

Boxes and passing nets have cells of their own, and horizontal segments of edges run in the channels between rows, so
no edge crosses a box. Nothing here depends on sizes: whether a child is open or not, the grid is the same.
`geometry` (and the page in JavaScript) derives the positions from the sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from archspec.diagnostics import ArchspecError, fail
from archspec.drawings.graph.tracks import TRUNK, End, position, tracks_of

PITCH = 9
"""Pixels between two ports of a box."""
ACCEPTED = 2
"""Crossings for which the given order is kept: it has the boxes left of the passing nets."""
MOST_VERTICES = 12_000
"""Layers, and rows that connections pass, of a drawing: it takes about a second."""
MOST_SIDE_BY_SIDE = 400_000
"""The sum over the rows of the square of what is side by side in them: the time to separate lines."""
MOST_ORDERED = 5000
"""Vertices of the largest grid that is ordered; the order of a larger one stays as it is."""
SWEEPS = 4
"""Barycentre sweeps, each down and up."""


class Wire(NamedTuple):
    """A net in a channel: from its ends above to its ends below, on a track; -1 for a straight vertical line."""

    net: int
    above: End
    below: tuple[End, ...]
    track: int


class GridCell(NamedTuple):
    """A child in a row, by its place among the children, or a passing net where `child` is -1."""

    child: int
    column: int
    net: int


@dataclass(frozen=True)
class Grid:
    """The arrangement of the children of a block."""

    rows: tuple[tuple[GridCell, ...], ...]
    channels: tuple[tuple[Wire, ...], ...]
    """Above each row, and below the last one."""
    tracks: tuple[int, ...]
    """The number of tracks of each channel."""
    columns: int
    trunk: tuple[int, int]
    """The outer columns of boxes, without those that lead to no other box, such as auxiliary classifiers."""
    ports_in: tuple[tuple[tuple[int, int], ...], ...]
    """Child -> its inputs: (net, offset from its axis)."""
    ports_out: tuple[tuple[tuple[int, int], ...], ...]
    """Child -> its outputs: (net, offset from its axis)."""


class Vertex:
    """A child or a passing net in a row."""

    __slots__ = ("above", "aligned", "child", "column", "left", "net", "place", "root", "row")

    def __init__(self, row: int, child: int, net: int) -> None:
        self.row, self.child, self.net = row, child, net
        self.above: list[Vertex] = []
        self.root = self
        self.aligned = False
        self.left: list[Vertex] = []
        self.column = -1
        self.place = 0


class Nets(NamedTuple):
    """The children of a block in topological order, and the nets between them."""

    layers: tuple[bool, ...]
    """Whether each child is a layer, whose ports are where its nets come from."""
    inputs: tuple[tuple[int, ...], ...]
    """The nets that each child reads."""
    outputs: tuple[tuple[int, ...], ...]
    """The nets that leave each child, its output last."""
    entering: tuple[int, ...]
    """The nets that come from outside, in the order of their ports."""
    leaving: tuple[tuple[int, int], ...]
    """The nets that are read outside, and the offsets of their ports."""


def make_grid(nets: Nets) -> Grid:
    """The grid of the children of a block."""
    _, inputs, outputs, _, _ = nets
    source = {net: child for child, each in enumerate(outputs) for net in each}
    ranks: list[int] = []
    for read in inputs:
        ranks.append(max([ranks[source[net]] + 1 for net in read if net in source], default=0))
    height = max(ranks, default=-1) + 1
    last: dict[int, int] = {net: height for net, _ in nets.leaving}
    for child, read in enumerate(inputs):
        for net in read:
            last[net] = max(last.get(net, 0), ranks[child])
    starts = {net: ranks[source[net]] + 1 if net in source else 0 for net in last}
    if len(ranks) + sum(until - starts[net] for net, until in last.items() if until > starts[net]) > MOST_VERTICES:
        raise _too_many()
    rows: list[list[Vertex]] = [[] for _ in range(height)]
    at: dict[tuple[int, int], Vertex] = {}  # (net, row) -> the vertex that has the net below it
    for child, rank in enumerate(ranks):
        vertex = Vertex(rank, child, -1)
        rows[rank].append(vertex)
        for net in outputs[child]:
            at[net, rank] = vertex
    for net, until in last.items():
        for level in range(starts[net], until):
            at[net, level] = vertex = Vertex(level, -1, net)
            rows[level].append(vertex)
    if sum(len(row) ** 2 for row in rows) > MOST_SIDE_BY_SIDE:
        raise _too_many()
    for row in rows[1:]:
        for vertex in row:
            wanted = inputs[vertex.child] if vertex.child >= 0 else (vertex.net,)
            vertex.above = [at[net, vertex.row - 1] for net in wanted if (net, vertex.row - 1) in at]
    if len(rows) < sum(map(len, rows)) <= MOST_ORDERED:
        _order(rows)
    else:
        _number(rows)
    _align(rows)
    columns = _columns(rows)
    boxes = [
        v.column for row in rows for v in row if v.child >= 0 and (outputs[v.child] or v.child == len(outputs) - 1)
    ]
    trunk = (min(boxes, default=0), max(boxes, default=0))
    for row in rows:
        within = [vertex for vertex in row if trunk[0] <= vertex.column <= trunk[1]]
        if len(within) == 1 and within[0].child >= 0:
            within[0].column = trunk[0] if trunk[0] == trunk[1] else TRUNK
    return _routed(rows, at, nets, columns, trunk)


def _too_many() -> ArchspecError:
    fact = "the network has too many layers, or connections across layers, to be drawn layer by layer"
    return fail(
        "too-many-layers", fact, help="`--depth 1` draws the blocks alone, and `archspec summarize` lists all layers"
    )


def _order(rows: list[list[Vertex]]) -> None:
    """Order the vertices of each row with few crossings."""
    _number(rows)
    fewest = _crossings(rows)
    if fewest <= ACCEPTED:
        return
    best = [list(row) for row in rows]
    below: dict[Vertex, list[Vertex]] = {}
    for row in rows:
        for vertex in row:
            for each in vertex.above:
                below.setdefault(each, []).append(vertex)
    for _ in range(SWEEPS):
        for row in rows[1:]:
            _sort(row, {vertex: vertex.above for vertex in row})
        for row in rows[-2::-1]:
            _sort(row, below)
        found = _crossings(rows)
        if found < fewest:
            fewest, best = found, [list(row) for row in rows]
    rows[:] = best
    _number(rows)


def _number(rows: list[list[Vertex]]) -> None:
    for row in rows:
        for place, vertex in enumerate(row):
            vertex.place = place


def _sort(row: list[Vertex], neighbours: Mapping[Vertex, list[Vertex]]) -> None:
    def barycentre(vertex: Vertex) -> float:
        near = neighbours.get(vertex)
        return sum([each.place for each in near]) / len(near) if near else vertex.place

    row.sort(key=barycentre)
    for place, vertex in enumerate(row):
        vertex.place = place


def _crossings(rows: list[list[Vertex]]) -> int:
    count = 0
    for row in rows[1:]:
        ends = [each.place for vertex in row for each in sorted(vertex.above, key=lambda v: v.place)]
        if len(ends) > 200:  # an estimate is enough
            count += sum(1 for one, other in pairwise(ends) if one > other)
        else:
            count += sum(1 for i, one in enumerate(ends) for other in ends[i + 1 :] if one > other)
    return count


def _align(rows: list[list[Vertex]]) -> None:
    """Join vertices of neighbouring rows into columns, without crossings (Brandes and Köpf 2001, alignment)."""
    for row in rows:
        free = -1
        for vertex in row:
            near = sorted(vertex.above, key=lambda v: v.place)
            if not near:
                continue
            middle = (len(near) - 1) // 2
            boxes = [each for each in near if each.child >= 0] if vertex.child >= 0 else near
            for each in boxes[:1] if len(near) == 2 and boxes else near[middle : middle + 2]:
                if not each.aligned and each.place > free:
                    vertex.root, each.aligned, free = each.root, True, each.place
                    break


def _columns(rows: list[list[Vertex]]) -> int:
    """Give each aligned chain a column, as far left as its neighbours allow; returns the number of columns."""
    for row in rows:
        for left, right in pairwise(row):
            right.root.left.append(left.root)
    order = [vertex for row in rows for vertex in row if vertex.root is vertex]
    pending = list(reversed(order))
    while pending:
        vertex = pending[-1]
        waiting = [each for each in vertex.left if each.column < 0]
        if vertex.column >= 0 or not waiting:
            if vertex.column < 0:
                vertex.column = max([each.column + 1 for each in vertex.left], default=0)
            pending.pop()
        else:
            pending += waiting
    for row in rows:
        for vertex in row:
            vertex.column = vertex.root.column
    return max([vertex.column + 1 for vertex in order], default=1)


def _routed(
    rows: list[list[Vertex]],
    at: Mapping[tuple[int, int], Vertex],
    nets: Nets,
    columns: int,
    trunk: tuple[int, int],
) -> Grid:
    """Give each net its ports and its tracks."""
    middle = trunk[0] if trunk[0] == trunk[1] else TRUNK
    ports_out = [spread(each) for each in nets.outputs]
    top = {net: End(middle, offset) for net, offset in spread(nets.entering)}
    ports_in: list[tuple[tuple[int, int], ...]] = [()] * len(nets.inputs)

    def end(net: int, row: int) -> End:
        """Where a net is below a row."""
        if row < 0:
            return top[net]
        vertex = at[net, row]
        return End(vertex.column, dict(ports_out[vertex.child])[net] if vertex.child >= 0 else 0)

    channels, counts = [], []
    for number in range(len(rows) + 1):
        below: dict[int, list[End]] = {}
        if number < len(rows):
            for vertex in rows[number]:
                if vertex.child < 0:
                    below.setdefault(vertex.net, []).append(End(vertex.column, 0))
                else:
                    read = nets.inputs[vertex.child]
                    if nets.layers[vertex.child]:
                        ports = _entries(vertex.column, {net: end(net, number - 1) for net in read}, trunk)
                    else:
                        ports = spread(read)
                    ports_in[vertex.child] = ports
                    for net, offset in ports:
                        below.setdefault(net, []).append(End(vertex.column, offset))
        else:
            for net, offset in nets.leaving:
                below.setdefault(net, []).append(End(middle, offset))
        wires = [(net, end(net, number - 1), tuple(ends)) for net, ends in below.items()]
        tracks = tracks_of(wires, trunk)
        channels.append(tuple(Wire(*wire, track) for wire, track in zip(wires, tracks, strict=True)))
        counts.append(max(tracks, default=-1) + 1)
    cells = tuple(tuple(GridCell(v.child, v.column, v.net) for v in row) for row in rows)
    return Grid(cells, tuple(channels), tuple(counts), columns, trunk, tuple(ports_in), tuple(ports_out))


def spread(nets: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The ports of a block: (net, offset); the last net is in the middle, the others right of it."""
    return tuple((net, PITCH * (len(nets) - 1 - place)) for place, net in enumerate(nets))


def _entries(column: int, ends: Mapping[int, End], trunk: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The ports of a box for nets that end there: straight from above, or on the side from which a net comes."""
    here = position(column, trunk)
    straight = [net for net, end in ends.items() if end == (column, 0)]
    if not straight and len(ends) == 1:
        straight = list(ends)
    if not straight:
        above = [net for net, end in ends.items() if position(end.column, trunk) == here]
        straight = sorted(above, key=lambda net: abs(ends[net].offset))

    def order(net: int) -> tuple[float, int, int]:
        """From left to right; nets from straight above in the order of their ports there, so that they do not cross."""
        across = position(ends[net].column, trunk)
        return across, ends[net].offset if across == here else 0, net

    others = sorted((net for net in ends if net not in straight[:1]), key=order)
    left = [net for net in others if position(ends[net].column, trunk) < here]
    right = others[len(left) :]
    if not straight and len(left) != len(right):  # the nearest one of the longer side bends to the middle
        straight = [right.pop(0)] if len(right) > len(left) else [left.pop()]
    ports = [(net, -PITCH * (len(left) - place)) for place, net in enumerate(left)]
    ports += [(net, 0) for net in straight[:1]]
    if not straight:  # symmetric
        ports = [(net, offset + PITCH // 2) for net, offset in ports]
        return tuple(ports + [(net, PITCH * (place + 1) - PITCH // 2 - 1) for place, net in enumerate(right)])
    return tuple(ports + [(net, PITCH * (place + 1)) for place, net in enumerate(right)])
