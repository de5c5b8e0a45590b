"""Padding of a fully convolutional network: fixed to its pixels at one size, and its effects on a larger image.

With a stride, the position of the zeros of `padding: same` depends on the size: for 3x3 with stride 2, the first window
starts at pixel 0 of 224 pixels, but at pixel -1 of 225. For windows at the same pixels on a larger image, the padding
must be fixed.

`dense_effects` lists how the network differs from the original applied at every position: padding, upsampling and
global layers.
Without any of these, the score map equals the output of the original for each crop exactly. With padding, a unit near
the border of a crop reads zeros, but in the larger image it reads the neighbouring pixels ("the padding for the same
crop comes naturally from the neighbouring parts of an image", Simonyan & Zisserman 2014, section 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archspec.diagnostics import counted, listed
from archspec.graph.compile.inference import changed, made
from archspec.graph.ir import Graph, Node, ancestors
from archspec.ops.base import EVERYTHING, Op, OpError, Shape, keras_axis, per_axis
from archspec.ops.window import Pixels, before_and_after, explicit, rounding_up

PADDING, OVERHANG, SIZE, BETWEEN, WHOLE = "padding", "overhang", "size", "between-crops", "whole-image"

MEANING = {
    PADDING: "the zeros around a crop are neighbouring pixels in a larger image",
    OVERHANG: "the last window extends past the end of a crop, but not of a larger image",
    SIZE: "the positions of its windows (`padding: same` with a stride) depend on the image size",
    BETWEEN: "it adds positions, so that some positions of the score map lie between crops",
    WHOLE: "it sees the whole image instead of a crop",
}


@dataclass(frozen=True)
class Effect:
    """The layers with one kind of effect (a key of MEANING)."""

    kind: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        count = counted(len(self.paths), "layer") if len(self.paths) > 1 else "1 layer"
        return f"{self.kind}, {count} ({listed(self.paths, 4)}): {MEANING[self.kind]}"


def dense_effects(graph: Graph, dense: Graph) -> tuple[Effect, ...]:
    """Why the score map of `dense` differs from the original applied to crops; empty if it does not differ.

    Args:
        graph: the original, with its training size.
        dense: what `convolutionalize` makes of it.
    """
    kept = {node.path: node for node in dense.layers}
    found: dict[str, list[str]] = {}
    for index in sorted(ancestors(graph, graph.outputs[0]) - {0}):
        node = graph.nodes[index]
        if node.path in kept:
            for kind in _effects(node, graph.shapes_into(node), kept[node.path]):
                found.setdefault(kind, []).append(node.path)
    between = _between_crops(dense)
    if between:
        found[BETWEEN] = between
    return tuple(Effect(kind, tuple(found[kind])) for kind in MEANING if kind in found)


def _effects(node: Node, shapes: tuple[Shape, ...], dense: Node) -> Iterator[str]:
    op: Any = node.op
    shape = shapes[0]
    if len(shape) == 1:
        return
    if dense.op.name == op.name and op.view(*shapes) == EVERYTHING:
        yield WHOLE
    if op.name == "zero_pad":
        yield PADDING
    elif op.name == "same_pad":
        if any(map(any, op.sides(shape))):
            yield PADDING
    elif op.name == "conv_transpose":
        if op.reads_outside(shape):
            yield PADDING
    elif hasattr(op, "padding"):
        window, strides, dilation = window_of(op, len(shape) - 1)
        sides = [
            before_and_after(*axis, op.padding)
            for axis in zip(shape[:-1], window, strides, dilation, strict=True)
            if isinstance(op.padding, str)
        ] or explicit(op.padding, len(shape) - 1)
        if any(map(any, sides)):
            yield PADDING
        moves = any(k > 1 and s > 1 for k, s in zip(window, strides, strict=True))
        if getattr(dense.op, "padding", None) == "same" and moves:
            yield SIZE
        axes = zip(shape[:-1], window, strides, sides, strict=True)
        if getattr(op, "ceil_mode", False) and any(rounding_up(size, k, s, *side) for size, k, s, side in axes):
            yield OVERHANG
    elif op.name == "upsample" and op.interpolation != "nearest":
        yield PADDING


def _between_crops(dense: Graph) -> list[str]:
    """The layers that add positions, if some positions of the score map then have no crop.

    A crop at pixel p is a position of the map if p is a multiple of the stride of every layer: after a pooling of 2 and
    an upsampling by 2 the stride of the map is 1, but crops at odd pixels are pooled differently.
    """
    strides: list[tuple[Fraction, ...]] = [(Fraction(1),) * (len(dense.input_shape) - 1)]
    adds = []
    for node in dense.layers:
        stride = tuple(map(max, zip(*(strides[i] for i in node.inputs), strict=True)))
        view = node.op.view(*dense.shapes_into(node))
        if isinstance(view, tuple) and len(view) == len(stride):
            stride = tuple(step * window.stride for step, window in zip(stride, view, strict=True))
            if any(window.stride < 1 for window in view):
                adds.append(node.path)
        strides.append(stride)
    whole = tuple(map(_common_multiple, zip(*strides, strict=True)))
    return adds if whole != strides[dense.outputs[0]] else []


def _common_multiple(values: tuple[Fraction, ...]) -> Fraction:
    return Fraction(math.lcm(*(v.numerator for v in values)), math.gcd(*(v.denominator for v in values)))


def with_fixed_padding(op: Op, shape: Shape, *, same: bool = True) -> Op:
    """The operator with padding and positions in pixels as on `shape`, if another size would change it.

    `avgpool` keeps `same`, because its mean excludes that padding but includes padding in pixels; `conv_transpose`
    keeps it, because it does not depend on the size. A `slice` of space keeps its distance from both borders.
    """
    if op.name == "slice":
        return _between_borders(op, shape)
    if op.name == "same_pad":
        return made("zero_pad", {"padding": op.sides(shape)})  # type: ignore[attr-defined]
    if same and getattr(op, "padding", None) == "same" and op.name not in ("avgpool", "conv_transpose"):
        sides = _same_sides(op, shape)
        if sides is not None:
            return changed(op, padding=sides if any(map(any, sides)) else "valid")
    if getattr(op, "ceil_mode", False):
        return _rounding(op, shape)
    return op


def window_of(op: Any, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Window, strides and dilation of a convolution or pooling along each axis."""
    if hasattr(op, "pool_size"):
        window = per_axis(op.pool_size, rank, "pool_size")
        return window, window if op.strides is None else per_axis(op.strides, rank, "strides"), (1,) * rank
    window, strides = (per_axis(value, rank, "") for value in (op.kernel_size, op.strides))
    return window, strides, per_axis(op.dilation_rate, rank, "dilation_rate")


def _same_sides(op: Any, shape: Shape) -> Pixels | None:
    """The padding in pixels; None without strides, when it does not depend on the size."""
    window, strides, dilation = window_of(op, len(shape) - 1)
    if max(strides) == 1:
        return None
    axes = zip(shape[:-1], window, strides, dilation, strict=True)
    return tuple(before_and_after(size, k, s, d, "same") for size, k, s, d in axes)


def _between_borders(op: Any, shape: Shape) -> Op:
    """The slice of a spatial axis, as a distance from its start and from its end; of channels, as it is."""
    axis = keras_axis(op.axis, shape)
    size = shape[axis]
    if axis == len(shape) - 1 or size is None:
        return op  # type: ignore[no-any-return]
    start, end, _ = slice(op.start, op.end).indices(size)
    return changed(op, start=start, end=end - size or None)


def _rounding(op: Any, shape: Shape) -> Op:
    """The operator without `ceil_mode` if that has no effect at this size and is not defined for a free size."""
    free = (*(None,) * (len(shape) - 1), shape[-1])
    try:
        op.shape(free)
    except OpError:
        plain = changed(op, ceil_mode=False)
        if plain.shape(shape) == op.shape(shape):
            return plain
    return op  # type: ignore[no-any-return]
