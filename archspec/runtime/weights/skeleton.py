"""Pair the layers of two Keras models by their graphs, independent of names and order.

Layers without weights and with one input are ignored, and so is the order of the inputs of a sum or product. Two layers
match only if all layers before them match. Each such history has a number in a dictionary that both models share, so
that comparing two layers is comparing two integers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.match import Matching
from archspec.runtime.weights.unit import Signature, Slot, Unit

COMMUTATIVE = ("Add", "Multiply", "Average", "Maximum", "Minimum")
SUMS = {"CustomScaleLayer": "Add"}
"""Classes of keras.applications that compute sums: x + scale y."""


def by_graph(
    graph: KerasGraph,
    slots: Mapping[int, Slot],
    other: KerasGraph,
    units: Mapping[int, Unit],
    heads: tuple[int | None, int | None] = (None, None),
) -> Matching | None:
    """The matching that makes the two graphs equal, if there is one.

    `heads` are the positions of layers that are left out, with all layers after them.
    """
    ranks: dict[Hashable, int] = {}
    one, two = (
        _Skeleton(graph, {index: slot.signature for index, slot in slots.items()}, heads[0], ranks),
        _Skeleton(other, {index: unit.signature for index, unit in units.items()}, heads[1], ranks),
    )
    pairs = _walk(one, two)
    if pairs is None or pairs.keys() != slots.keys() - {heads[0]}:
        return None
    return Matching(tuple((slot, units[pairs[index]]) for index, slot in slots.items() if index in pairs), "by graph")


class _Skeleton:
    """A graph without the layers that are ignored. A node is the position of its call."""

    def __init__(
        self, graph: KerasGraph, found: Mapping[int, Signature], head: int | None, ranks: dict[Hashable, int]
    ) -> None:
        self.graph, self.found = graph, found
        self.node: list[int] = []  # for each call, the node of its output
        self.reads: dict[int, tuple[int, ...]] = {}
        self.rank: dict[int, int] = {}
        for index, call in enumerate(graph.calls):
            reads = tuple(self.node[source] for source, _ in call.inputs)
            key: Any
            if index in found:
                reads = tuple(dict.fromkeys(reads))
                key = (found[index], *(self.rank[node] for node in reads))
            elif not reads:
                key = ("input", graph.inputs.index(index) if index in graph.inputs else call.kind)
            elif len(set(reads)) == 1:  # one input, or a gate on the same values: x sigmoid(x)
                self.node.append(reads[0])
                continue
            else:
                below = [self.rank[node] for node in reads]
                if self.commutes(index):
                    below.sort()
                key = (self.merge(index), *below)
            self.node.append(index)
            self.reads[index] = reads
            self.rank[index] = ranks.setdefault(key, len(ranks))
        ends = graph.outputs if head is None else graph.calls[head].inputs
        self.ends = [self.node[source] for source, _ in ends]

    def merge(self, node: int) -> str:
        kind = self.graph.calls[node].kind
        return SUMS.get(kind, kind)

    def commutes(self, node: int) -> bool:
        return node not in self.found and self.merge(node) in COMMUTATIVE

    def sorted_reads(self, node: int) -> tuple[int, ...]:
        """The inputs of a node, in an order that is the same in both models."""
        reads = self.reads[node]
        return tuple(sorted(reads, key=self.rank.__getitem__)) if self.commutes(node) else reads


def _walk(one: _Skeleton, two: _Skeleton) -> dict[int, int] | None:
    """Walk from the outputs to the inputs. Returns position in `one` -> position in `two` for layers with weights."""
    if len(one.ends) != len(two.ends):
        return None
    todo = list(zip(one.ends, two.ends, strict=True))
    partner: dict[int, int] = {}
    while todo:
        a, b = todo.pop()
        if a in partner:
            if partner[a] != b:
                return None  # two equal branches, and neither assignment is consistent
            continue
        if one.rank[a] != two.rank[b]:
            return None
        partner[a] = b
        todo += zip(one.sorted_reads(a), two.sorted_reads(b), strict=True)
    if len(set(partner.values())) < len(partner):
        return None
    return {a: b for a, b in partner.items() if a in one.found}
