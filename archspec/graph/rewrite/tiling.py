"""Overlapping tiles of a large image whose score maps, side by side, equal that of the whole image.

A tile begins at a multiple of the network's stride, so that its positions are positions of the image. A position whose
receptive field crosses the edge of a tile would read padding instead of pixels; it is computed in the next tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspec.diagnostics import counted, fail
from archspec.graph.analysis.receptive_field import receptive_fields
from archspec.graph.ir import FLOAT_BYTES, Graph
from archspec.graph.rewrite.padding import BETWEEN, SIZE, WHOLE, Effect
from archspec.ops.base import product


@dataclass(frozen=True)
class Tile:
    """Pixels [start, stop) along one axis; of its map the positions from `skip` on are [first, last) of the image's."""

    start: int
    stop: int
    skip: int
    first: int
    last: int


@dataclass(frozen=True)
class Reach:
    """Along one axis, pixels: position i of the score map sees [i stride + offset, i stride + offset + size)."""

    size: int
    stride: int
    offset: int


def reaches(dense: Graph) -> tuple[Reach, ...] | None:
    """The reach of the score map along each axis; None if its stride is not an integer, or if it is global."""
    found = receptive_fields(dense)[dense.outputs[0]]
    if found is None:
        return None
    axes = list(zip(found.size, found.stride, found.offset, strict=True))
    if any(not isinstance(value, int) for axis in axes for value in axis) or any(not axis[1] for axis in axes):
        return None
    return tuple(Reach(int(size), int(stride), int(offset)) for size, stride, offset in axes)


def can_tile(effects: tuple[Effect, ...]) -> bool:
    """Whether every position of the map depends on its reach alone, and tiles may begin at multiples of the stride."""
    return not any(effect.kind in (SIZE, BETWEEN, WHOLE) for effect in effects)


def tiles(size: int, positions: int, reach: Reach, longest: int) -> list[Tile]:
    """The tiles of an axis of `size` pixels whose map has that number of positions; at most `longest` pixels each.

    Raises ArchspecError (image-too-large) where no position fits into a tile with all that it sees.
    """
    found: list[Tile] = []
    first = 0
    while first < positions:
        begins = min(first * reach.stride + reach.offset, size - 1)  # a position may see padding only
        start = max(0, begins // reach.stride * reach.stride)
        stop = min(size, start + longest)
        last = positions if stop == size else (stop - reach.size - reach.offset) // reach.stride + 1
        if last <= first:
            raise fail(
                "image-too-large",
                f"a tile of {counted(longest, 'pixel')} is too short: each position of the score map sees {reach.size}",
                help="use a smaller image, or provide more memory",
            )
        found.append(Tile(start, stop, first - start // reach.stride, first, min(last, positions)))
        first = last
    return found


def peak_bytes(graph: Graph) -> int:
    """Memory at inference for one sample in float32, bytes: the most that outputs still to be read take together.

    Of a graph of known size, in the order of its nodes; weights are not counted.
    """
    last_read = {index: index for index in range(len(graph.nodes))}
    for index, node in enumerate(graph.nodes):
        for source in node.inputs:
            last_read[source] = index
    for index in graph.outputs:
        last_read[index] = len(graph.nodes)
    ends: dict[int, list[int]] = {}
    for index, at in last_read.items():
        ends.setdefault(at, []).append(index)
    alive = most = 0
    for index, node in enumerate(graph.nodes):
        alive += (product(node.shape) or 0) * FLOAT_BYTES
        most = max(most, alive)
        alive -= sum((product(graph.nodes[i].shape) or 0) * FLOAT_BYTES for i in ends.get(index, ()))
    return most
