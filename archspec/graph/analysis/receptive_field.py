"""The part of the input that each unit of a layer sees (Araujo et al. 2019, "Computing Receptive Fields").

Along each spatial axis unit 0 sees `size` pixels from `offset` on (negative: padding), unit i sees them
`stride` pixels further i times. The size is that of the window in an unbounded image: it can exceed the input.

If the windows do not move evenly (after upsampling, or a merge of unequal strides), it is the smallest evenly moving
window that covers them all. Operators that reorder or remove positions (`flip`, `permute`, `take`), or that pool into a
fixed number of bins, count as seeing the whole map: an upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from archspec.graph.ir import Graph
from archspec.ops.base import EVERYTHING, POINTWISE, Dim, Shape, View, Window

if TYPE_CHECKING:
    from fractions import Fraction

Number = int | float


class Axis(NamedTuple):
    """Receptive field along one axis, in pixels of the input. `stride` is 0 where all units see the same.

    The values are exact: integers, and fractions after upsampling.
    """

    size: int | Fraction
    stride: int | Fraction
    offset: int | Fraction


class ReceptiveField(NamedTuple):
    """One value for each spatial axis of the input; empty for a network on vectors."""

    size: tuple[Number, ...]
    stride: tuple[Number, ...]
    offset: tuple[Number, ...]


_State = tuple[Axis, ...] | None  # None: unknown because of a free size


def receptive_fields(graph: Graph) -> tuple[ReceptiveField | None, ...]:
    """The receptive field of each node, in order; None if it depends on a free size."""
    rank = len(graph.input_shape) - 1
    alike = all(len(node.shape) == rank + 1 for node in graph.inputs)  # else pixels of which input?
    states: list[_State] = [(Axis(1, 1, 0),) * rank if alike else None for _ in graph.inputs]
    for node in graph.layers:
        shapes = graph.shapes_into(node)
        view = node.op.view(*shapes)
        if view is POINTWISE and len(node.inputs) == 1:
            states.append(states[node.inputs[0]])
            continue
        seen = [_through(states[i], view, shape) for i, shape in zip(node.inputs, shapes, strict=True)]
        states.append(seen[0] if len(seen) == 1 else _merged(seen, shapes, node.shape))
    return tuple(map(_shown, states))


def last_moving(graph: Graph) -> ReceptiveField | None:
    """The receptive field of the last layer whose units do not all see the same; None if there is none."""
    return next((field for field in reversed(receptive_fields(graph)) if field and any(field.stride)), None)


def _through(state: _State, view: View, shape: Shape) -> _State:
    """The receptive field of a layer from that of its input, which has the given shape."""
    if state is None or view is None:
        return state
    if isinstance(view, str):
        assert view == EVERYTHING
        sizes: Shape = shape[:-1] if len(shape) - 1 == len(state) else (1,) * len(state)
        if any(size is None and axis.stride for size, axis in zip(sizes, state, strict=True)):
            return None
        spans = [(axis, ((size or 1) - 1) * axis.stride) for size, axis in zip(sizes, state, strict=True)]
        return tuple(Axis(axis.size + span, 0, axis.offset) for axis, span in spans)
    if len(view) != len(state):  # after a reshape to another rank every unit already sees everything
        return state
    return tuple(_slid(axis, window) for axis, window in zip(state, view, strict=True))


def _slid(axis: Axis, window: Window) -> Axis:
    """The receptive field of units that read a window; unit i begins at unit floor(i * stride - before)."""
    stride, before = window.stride, window.before
    period = stride.denominator * before.denominator
    dropped = [(i * stride - before) % 1 for i in range(period)] if period > 1 else [0]
    size = (window.size - 1) * window.dilation + max(dropped) - min(dropped)
    return Axis(
        axis.size + size * axis.stride, axis.stride * stride, axis.offset - (before + max(dropped)) * axis.stride
    )


def _merged(states: Sequence[_State], shapes: Sequence[Shape], shape: Shape) -> _State:
    """The receptive field of units that read one unit of each input; an axis of size 1 is broadcast."""
    rank = len(states[0] or ())
    merged = []
    for axis in range(rank):
        count = shape[axis] if len(shape) == rank + 1 else 1
        each = []
        for state, of in zip(states, shapes, strict=True):
            if state is None:
                return None
            still = len(of) != rank + 1 or (of[axis] == 1 and count != 1)
            each.append(state[axis]._replace(stride=0) if still else state[axis])
        joined = _hull(each, count)
        if joined is None:
            return None
        merged.append(joined)
    return None if None in states else tuple(merged)


def _hull(axes: Sequence[Axis], count: Dim) -> Axis | None:
    """The smallest field that covers several for `count` units; None for unequal strides and unknown `count`."""
    strides = {axis.stride for axis in axes}
    stride = 0 if 0 in strides else max(strides)
    if len(strides) > 1 and count is None:
        return None
    last = (count or 1) - 1 if len(strides) > 1 else 0
    starts = [axis.offset + i * (axis.stride - stride) for axis in axes for i in (0, last)]
    ends = [axis.offset + axis.size + i * (axis.stride - stride) for axis in axes for i in (0, last)]
    return Axis(max(ends) - min(starts), stride, min(starts))


@lru_cache(maxsize=1024)  # most layers see what the layer before them sees
def _shown(state: _State) -> ReceptiveField | None:
    if state is None:
        return None
    columns = [tuple(map(_number, column)) for column in zip(*state, strict=True)] or [(), (), ()]
    return ReceptiveField(*columns)


def _number(value: int | Fraction) -> Number:
    return int(value) if value.denominator == 1 else float(value)
