"""The part of the input that each unit of a layer sees (Araujo et al. 2019, "Computing Receptive Fields").

Along each spatial axis unit 0 sees `size` pixels from `offset` on (negative: padding), unit i sees them
`stride` pixels further i times. The size is that of the window in an unbounded image: it can exceed the input.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from archspec.graph.ir import Graph
from archspec.ops.base import EVERYTHING, Dim, Shape, View

Number = int | float


class Axis(NamedTuple):
    """Receptive field along one axis, in pixels of the input. `stride` is 0 where all units see the same."""

    size: Fraction
    stride: Fraction
    offset: Fraction


class ReceptiveField(NamedTuple):
    """One value for each spatial axis of the input; empty for a network on vectors."""

    size: tuple[Number, ...]
    stride: tuple[Number, ...]
    offset: tuple[Number, ...]


_State = tuple[Axis, ...] | None  # None: unknown, behind a free size


def receptive_fields(graph: Graph) -> tuple[ReceptiveField | None, ...]:
    """Of each node of the graph, in its order; None behind a global operator over a free size."""
    rank = len(graph.input_shape) - 1
    states: list[_State] = [(Axis(Fraction(1), Fraction(1), Fraction(0)),) * rank]
    for node in graph.layers:
        shapes = [graph.nodes[i].shape for i in node.inputs]
        view = node.op.view(*shapes)
        state = states[node.inputs[0]]
        for i in node.inputs[1:]:
            state = _union(state, states[i])
        states.append(_through(state, view, shapes[0]))
    return tuple(map(_shown, states))


def _through(state: _State, view: View, shape: Shape) -> _State:
    if state is None or view is None:
        return state
    if view == EVERYTHING:
        sizes: tuple[Dim, ...] = shape[:-1] if len(shape) - 1 == len(state) else (1,) * len(state)
        if any(size is None and axis.stride for size, axis in zip(sizes, state, strict=True)):
            return None
        return tuple(
            Axis(axis.size + ((size or 1) - 1) * axis.stride, Fraction(0), axis.offset)
            for size, axis in zip(sizes, state, strict=True)
        )
    if len(view) != len(state):  # after a reshape to another rank every unit already sees everything
        return state
    return tuple(
        Axis(
            axis.size + (window.size - 1) * window.dilation * axis.stride,
            axis.stride * Fraction(window.stride),
            axis.offset - window.before * axis.stride,
        )
        for axis, window in zip(state, view, strict=True)  # type: ignore[arg-type]
    )


def _union(a: _State, b: _State) -> _State:
    if a is None or b is None:
        return None
    joined = []
    for one, other in zip(a, b, strict=True):
        offset = min(one.offset, other.offset)
        end = max(one.offset + one.size, other.offset + other.size)
        joined.append(Axis(end - offset, max(one.stride, other.stride), offset))
    return tuple(joined)


def _shown(state: _State) -> ReceptiveField | None:
    if state is None:
        return None
    columns = [tuple(map(_number, column)) for column in zip(*state, strict=True)] or [(), (), ()]
    return ReceptiveField(*columns)


def _number(value: Fraction) -> Number:
    return int(value) if value.denominator == 1 else float(value)
