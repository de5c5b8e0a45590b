"""Pair layers by the structure around them: by the graphs of two Keras models, or by the modules of a state dict."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.matching import CONVOLUTIONS, Matching, Signature, Slot, Unit

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
        self.graph = graph
        first = {id(graph.calls[index].operation): index for index in found}
        self.owner = {i: first[id(call.operation)] for i, call in enumerate(graph.calls) if id(call.operation) in first}
        """For each call of a layer with weights, the first call of that layer."""
        self.node: list[int] = []  # for each call, the node of its output
        self.reads: dict[int, tuple[int, ...]] = {}
        self.rank: dict[int, int] = {}
        for index, call in enumerate(graph.calls):
            reads = tuple(self.node[source] for source, _ in call.inputs)
            key: Any
            if index in self.owner:
                reads = tuple(dict.fromkeys(reads))
                key = (found[self.owner[index]], *(self.rank[node] for node in reads))
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
        return node not in self.owner and self.merge(node) in COMMUTATIVE

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
    pairs: dict[int, int] = {}
    while todo:
        a, b = todo.pop()
        if a in partner:
            if partner[a] != b:
                return None  # two equal branches, and neither assignment is consistent
            continue
        if one.rank[a] != two.rank[b]:
            return None
        partner[a] = b
        if a in one.owner and pairs.setdefault(one.owner[a], two.owner[b]) != two.owner[b]:
            return None  # two calls of one layer are calls of two layers in the other model
        todo += zip(one.sorted_reads(a), two.sorted_reads(b), strict=True)
    if any(len(set(found.values())) < len(found) for found in (partner, pairs)):
        return None
    return pairs


MAX_STEPS = 200_000  # of the search; a state dict of a thousand layers needs some thousands


@dataclass
class _Module:
    """A node of the tree: a layer, or modules by name."""

    unit: int | None = None
    inner: dict[str, _Module] = field(default_factory=dict)
    kinds: tuple[Any, ...] = ()
    """Its contents without names: equal modules keep their order."""


def by_tree(slots: Sequence[Slot], units: Sequence[Unit], *, in_order: bool = False) -> Matching | None:
    """The matching in which the layers of each module are consecutive, if there is one.

    Modules that may be exchanged keep the order of the units with `in_order`, and that of their names without.
    """
    if len(slots) != len(units):
        return None
    root = _Module()
    for index, unit in enumerate(units):
        module = root
        for word in unit.name.split("."):
            module = module.inner.setdefault(word, _Module())
        module.unit = index
    wanted = [slot.signature for slot in slots]
    best = _best(root, wanted, units, in_order=in_order)
    for layers_only in (True, False):
        if best is None and _interleave(root, layers_only=layers_only):
            best = _best(root, wanted, units, in_order=in_order)
    if best is None:
        return None
    return Matching(tuple((slot, units[i]) for slot, i in zip(slots, best.order, strict=True)), "module by module")


def _best(root: _Module, wanted: list[Signature], units: Sequence[Unit], *, in_order: bool) -> _Order | None:
    _describe(root, [unit.signature for unit in units])
    return _Search(wanted, units, in_order=in_order).place(root, 0)


def _interleave(module: _Module, *, layers_only: bool) -> bool:
    """Exchange the levels of lists side by side: `bns.0, bns.1, convs.0, convs.1` (Res2Net).

    Lists of equal length become one list, each item of which is a module with one item of each. With `layers_only` the
    items are layers; without, also modules (the `downsample_layers` and `stages` of ConvNeXt). Returns whether there
    are any.
    """
    inside = [_interleave(inner, layers_only=layers_only) for inner in module.inner.values()]
    lists: dict[tuple[str, ...], list[str]] = {}
    for name, inner in module.inner.items():
        items = inner.inner.items()
        if not name.isdecimal() and all(key.isdecimal() and not (layers_only and each.inner) for key, each in items):
            lists.setdefault(tuple(sorted(inner.inner, key=int)), []).append(name)
    beside = {numbers: names for numbers, names in lists.items() if numbers and len(names) > 1}
    for numbers, names in beside.items():
        parts = {name: module.inner.pop(name).inner for name in names}
        rows = {number: _Module(inner={name: parts[name][number] for name in names}) for number in numbers}
        module.inner["+".join(names)] = _Module(inner=rows)
    return bool(beside) or any(inside)


def _describe(module: _Module, given: Sequence[Signature]) -> None:
    for inner in module.inner.values():
        _describe(inner, given)
    own = () if module.unit is None else given[module.unit]
    module.kinds = (own, *sorted((inner.kinds for inner in module.inner.values()), key=repr))


class _Order(NamedTuple):
    """Units in an order that fits, and the number of normalizations before their convolution."""

    oddities: int
    order: list[int]


class _Search:
    def __init__(self, wanted: list[Signature], units: Sequence[Unit], *, in_order: bool) -> None:
        self.wanted, self.in_order = wanted, in_order
        self.given = [unit.signature for unit in units]
        self.kernels = [unit.kind in (*CONVOLUTIONS, "dense") for unit in units]
        self.known: dict[tuple[int, tuple[str, ...], int], _Order | None] = {}

    def place(self, module: _Module, start: int) -> _Order | None:
        """The best order of a module that fits from position `start` on: the fewest oddities."""
        own = [] if module.unit is None else [module.unit]
        if own and self.wanted[start : start + 1] != [self.given[own[0]]]:
            return None
        names = tuple(module.inner) if self.in_order else tuple(sorted(module.inner, key=natural))
        inside = self.inside(module, names, start + len(own))
        return None if inside is None else _Order(inside.oddities, own + inside.order)

    def inside(self, module: _Module, names: tuple[str, ...], start: int) -> _Order | None:
        """The same for the modules in it that are not placed yet."""
        if not names:
            return _Order(0, [])
        key = (id(module), names, start)
        if key not in self.known and len(self.known) < MAX_STEPS:
            self.known[key] = None
            for name in self.next(module, names):
                first = self.place(module.inner[name], start)
                rest = tuple(other for other in names if other != name)
                after = first and self.inside(module, rest, start + len(first.order))
                if first is None or after is None:
                    continue
                odd = first.oddities + after.oddities + self.oddities(module, name, rest)
                best = self.known[key]
                if best is None or odd < best.oddities:
                    self.known[key] = _Order(odd, first.order + after.order)
        return self.known.get(key)

    def next(self, module: _Module, names: tuple[str, ...]) -> Iterator[str]:
        """The children that may come first: the first number, and the first name of each set of equal modules."""
        seen: set[object] = set()
        for name in names:
            alike = {module.inner[name].kinds, *(["number"] if name.isdecimal() else [])}
            if not alike & seen:
                yield name
            seen |= alike

    def oddities(self, module: _Module, name: str, rest: tuple[str, ...]) -> int:
        """The number of kernels of the module that come after the normalization of their channels."""
        unit = module.inner[name].unit
        if unit is None or self.given[unit][0] != "bn":
            return 0
        channels = self.given[unit][1][-1]
        others = [index for other in rest if (index := module.inner[other].unit) is not None and self.kernels[index]]
        return sum(channels in _outputs(self.given[index]) for index in others)


def _outputs(given: Signature) -> Signature:
    """The sizes of a kernel but the first: a 1x1 depthwise kernel has the channels alone."""
    return given[2:] if given[0] == "kernel" else given[1:]


def natural(name: str) -> list[tuple[int, int | str]]:
    """layer2 before layer10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]
