"""How a fully convolutional network differs from the original applied at every position: padding and global layers.

Without any of these the score map is exactly what the original gives for each crop. With padding, a unit near the
border of a crop sees zeros, where in the larger image it sees what is there ("the padding for the same crop comes
naturally from the neighbouring parts of an image", Simonyan & Zisserman 2014, section 4.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import listed
from archspec.graph.ir import Graph, Node
from archspec.graph.rewrite.fixed_padding import window_of
from archspec.graph.rewrite.reinfer import ancestors
from archspec.ops.base import EVERYTHING, Shape
from archspec.ops.window import before_and_after, explicit, rounding_up

PADDING, OVERHANG, SIZE, WHOLE = "padding", "overhang", "size", "whole-image"

MEANING = {
    PADDING: "the zeros around a crop are neighbouring pixels in a larger image",
    OVERHANG: "the last window extends past the end of a crop, but not of a larger image",
    SIZE: "the positions of its windows (`padding: same` with a stride) depend on the image size",
    WHOLE: "it sees the whole image instead of a crop",
}


@dataclass(frozen=True)
class Effect:
    """The layers with one kind of effect (a key of MEANING)."""

    kind: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        count = f"{len(self.paths)} layers" if len(self.paths) > 1 else "1 layer"
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
        shapes = tuple(graph.nodes[i].shape for i in node.inputs)
        if node.path in kept:
            for kind in _effects(node, shapes, kept[node.path]):
                found.setdefault(kind, []).append(node.path)
    return tuple(Effect(kind, tuple(found[kind])) for kind in MEANING if kind in found)


def _effects(node: Node, shapes: tuple[Shape, ...], dense: Node) -> Iterator[str]:
    op: Any = node.op
    shape = shapes[0]
    if len(shape) == 1:
        return
    if dense.op.name == op.name and op.view(*shapes) == EVERYTHING and op.name != "softmax":
        yield WHOLE
    if op.name == "zero_pad":
        yield PADDING
    elif op.name == "same_pad":
        if any(map(any, op.sides(shape))):
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
