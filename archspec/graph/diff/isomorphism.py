"""Whether two networks compute the same function: the same layers, connected in the same way; paths may differ.

Each layer gets a number, its rank. Two layers have the same rank if they and all layers before them are equal. Sums and
products may list their inputs in any order.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from archspec.graph.ir import Graph, Node

COMMUTATIVE = ("add", "multiply", "average", "maximum")
DIGITS = 9
"""Significant digits in which numbers are compared: 0.1 * 3 equals 0.3."""


def same_network(one: Graph, other: Graph) -> dict[int, int] | None:
    """The node of the other graph that corresponds to each node, or None if the networks differ.

    Windows are compared by their effect: `padding: same` equals `padding: 1` for 3x3. Names are ignored."""
    sizes = [(len(each.nodes), len(each.outputs), each.input_count) for each in (one, other)]
    if sizes[0] != sizes[1]:
        return None
    shared: dict[Hashable, int] = {}
    ranks, others = _ranks(one, shared), _ranks(other, shared)
    partner: dict[int, int] = {}
    taken: dict[int, int] = {}
    todo = list(zip(one.outputs, other.outputs, strict=True))
    while todo:
        a, b = todo.pop()
        if partner.get(a, b) != b or taken.get(b, a) != a or ranks[a] != others[b]:
            return None
        if a not in partner:
            partner[a], taken[b] = b, a
            todo += zip(_inputs(one, a, ranks), _inputs(other, b, others), strict=True)
    return partner if len(partner) == len(one.nodes) and _tied_alike(one, other, partner) else None


def _tied_alike(one: Graph, other: Graph, partner: dict[int, int]) -> bool:
    """Whether the layers that share weights correspond to layers that share weights."""
    owners = {(one.tied.get(a), other.tied.get(b)) for a, b in partner.items()} - {(None, None)}
    return len(owners) == len({ours for ours, _ in owners}) == len({theirs for _, theirs in owners})


def _inputs(graph: Graph, index: int, ranks: list[int]) -> tuple[int, ...]:
    node = graph.nodes[index]
    return tuple(sorted(node.inputs, key=ranks.__getitem__)) if node.op.name in COMMUTATIVE else node.inputs


def _ranks(graph: Graph, shared: dict[Hashable, int]) -> list[int]:
    ranks: list[int] = []
    for index, node in enumerate(graph.nodes):
        arguments = tuple((name, rounded(value)) for name, value in vars(node.op).items() if name != "padding")
        below = [ranks[i] for i in node.inputs]
        if node.op.name in COMMUTATIVE:
            below.sort()
        entering = index < graph.input_count
        effect = (index, node.shape, graph.loss_weights) if entering else (*_effect(graph, node), node.shape)
        key = (node.op.name, arguments, effect, tuple(below), index in graph.tied)
        ranks.append(shared.setdefault(key, len(shared)))
    return ranks


def _effect(graph: Graph, node: Node) -> tuple[Hashable, ...]:
    return graph.view(node), graph.shapes_into(node)


def rounded(value: Any) -> Any:
    """Floats to DIGITS digits, at every depth."""
    if isinstance(value, tuple):
        return tuple(map(rounded, value))
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
