"""The tracks of the wires in a channel: horizontal lines at heights at which no two of them overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TRUNK = -1
"""The column of a box that is alone between the outer columns of boxes: the middle of them."""


class End(NamedTuple):
    """An end of a net in a channel: the axis of a column (or TRUNK), and an offset from it in pixels."""

    column: int
    offset: int


def position(column: int, trunk: tuple[int, int]) -> float:
    """Where a column is, counted in columns."""
    return (trunk[0] + trunk[1]) / 2 if column == TRUNK else column


def tracks_of(wires: Sequence[tuple[int, End, tuple[End, ...]]], trunk: tuple[int, int]) -> list[int]:
    """The track of each wire: -1 for a straight one; no two wires overlap on a track.

    Where one wire starts above the end of another, its track is the upper one, so that their vertical segments are
    apart. Among the other wires, the order is the one with fewer crossings.
    """
    tracks = [-1] * len(wires)
    bent = [place for place, (_, above, below) in enumerate(wires) if any(each != above for each in below)]
    if len(bent) == 1:
        tracks[bent[0]] = 0
        return tracks
    shapes = [_Bent(place, *wires[place][1:], trunk) for place in bent]
    costs = [sum([shape.cost_above(other) for other in shapes]) for shape in shapes]
    placed: list[_Bent] = []
    while shapes:
        best = costs.index(min(costs))
        shape = shapes.pop(best)
        del costs[best]
        costs = [cost - each.cost_above(shape) for cost, each in zip(costs, shapes, strict=True)]
        shape.track = max([each.track + 1 for each in placed if each.touches(shape)], default=0)
        tracks[shape.place] = shape.track
        placed.append(shape)
    return tracks


class _Bent:
    """A wire that needs a track: where it starts, ends and runs, across, in thousandths of a column."""

    OVERLAP = 1000
    """The cost of two vertical segments on top of each other, in crossings."""

    def __init__(self, place: int, above: End, below: tuple[End, ...], trunk: tuple[int, int]) -> None:
        self.place, self.track = place, 0
        self.start = self._across(above, trunk)
        self.ends = [self._across(end, trunk) for end in below]
        ranges = [trunk if end.column == TRUNK else (end.column, end.column) for end in (above, *below)]
        self.columns = min(low for low, _ in ranges), max(high for _, high in ranges)
        self.span = min(self.start, *self.ends), max(self.start, *self.ends)

    @staticmethod
    def _across(end: End, trunk: tuple[int, int]) -> float:
        return 1000 * position(end.column, trunk) + end.offset

    def touches(self, other: _Bent) -> bool:
        """Whether the two may not share a track, whatever the sizes of the columns."""
        return self.columns[0] <= other.columns[1] and other.columns[0] <= self.columns[1]

    def cost_above(self, other: _Bent) -> int:
        """The crossings if this wire has a track above that of the other one."""
        if other is self:
            return 0
        (low, high), (first, last) = self.span, other.span
        crossings = sum([first < end < last for end in self.ends]) + (low < other.start < high)
        return crossings + self.OVERLAP * (other.start in self.ends)
