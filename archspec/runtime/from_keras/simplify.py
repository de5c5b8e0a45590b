"""Sequences of layers that one operator expresses: zero padding and a convolution, a pooling and a reshape.

No rule changes an output. A layer that another layer reads as well is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from archspec.graph.compile.inference import infer, made
from archspec.graph.ir import Graph, Node
from archspec.ops.base import Op

Found = tuple[int, Op] | None
"""Number of previous nodes that are merged into a node, and the operator that replaces all of them."""


def simplify(graph: Graph) -> Graph:
    """The same network with fewer layers."""
    readers = [0] * len(graph.nodes)
    for index in (*graph.outputs, *(source for node in graph.nodes for source in node.inputs)):
        readers[index] += 1
    nodes: list[Node] = []
    place: list[int] = []  # index of each old node among the new ones
    for index, node in enumerate(graph.nodes):
        inputs = tuple(place[source] for source in node.inputs)
        rules = () if index in graph.tied else RULES  # all that use the weights have the same arguments
        found = next((found for rule in rules if (found := rule(node, nodes, inputs))), None)
        if found and all(readers[_old(place, len(nodes) - 1 - i)] == 1 for i in range(found[0])):
            taken, op = found
            inputs = nodes[-taken].inputs
            del nodes[-taken:]
            node = node._replace(op=op, facts=infer(op, tuple(nodes[i].shape for i in inputs)))
        nodes.append(node._replace(inputs=inputs))
        place.append(len(nodes) - 1)
    return replace(graph, nodes=tuple(nodes), outputs=tuple(place[index] for index in graph.outputs))


def _old(place: Sequence[int], new: int) -> int:
    """The last old node at an index of the new nodes."""
    return len(place) - 1 - place[::-1].index(new)


def _above(nodes: Sequence[Node], inputs: tuple[int, ...], name: str, steps: int = 1) -> Any:
    """The operator `steps` nodes back, if it has that name and each node between reads only the previous one."""
    if inputs != (len(nodes) - 1,) or len(nodes) <= steps:
        return None
    chain = all(nodes[-i].inputs == (len(nodes) - i - 1,) for i in range(1, steps))
    op = nodes[-steps].op
    return op if chain and op.name == name else None


def _padded(node: Node, nodes: Sequence[Node], inputs: tuple[int, ...]) -> Found:
    """zero_pad, conv -> conv with padding in pixels."""
    if node.op.name not in ("conv", "depthwise_conv", "separable_conv") or node.op.padding != "valid":  # type: ignore[attr-defined]
        return None
    border = _above(nodes, inputs, "zero_pad")
    return border and (1, replace(node.op, padding=border.padding))  # type: ignore[type-var]


def _kept(node: Node, nodes: Sequence[Node], inputs: tuple[int, ...]) -> Found:
    """global_avgpool, reshape to (1, 1, C) -> global_avgpool with keepdims."""
    if node.op.name != "reshape":
        return None
    pool = _above(nodes, inputs, "global_avgpool") or _above(nodes, inputs, "global_maxpool")
    if pool is None or pool.keepdims:
        return None
    before = nodes[nodes[-1].inputs[0]].shape
    kept = node.shape == (*(1,) * (len(before) - 1), before[-1])
    return (1, replace(pool, keepdims=True)) if kept else None


def _hard_sigmoid(node: Node, nodes: Sequence[Node], inputs: tuple[int, ...]) -> Found:
    """relu6(x + 3) / 6 -> hard_sigmoid."""
    if node.op.name != "rescale" or not _is(node.op, 1 / 6, 0) or not _above(nodes, inputs, "relu6"):
        return None
    shift = _above(nodes, inputs, "rescale", 2)
    return (2, made("hard_sigmoid", {})) if shift and _is(shift, 1, 3) else None


def _is(op: Any, scale: float, offset: float) -> bool:
    values = (op.scale, op.offset)
    return all(isinstance(value, (int, float)) for value in values) and (
        abs(op.scale - scale) < 1e-7 and abs(op.offset - offset) < 1e-7
    )


RULES: tuple[Callable[[Node, Sequence[Node], tuple[int, ...]], Found], ...] = (_padded, _kept, _hard_sigmoid)
