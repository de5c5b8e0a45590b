"""Reconstruct the order of the layers of a state dict that is sorted by name, as `.safetensors` files are.

Names are paths (`layer1.0.conv1`). The layers of a module are consecutive; numbered children keep their order, others
may have any. Of the orders in which the signatures equal those of the model, the search takes the one in which most
normalizations follow the convolution of their module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archspec.runtime.weights.match import Matching
from archspec.runtime.weights.unit import Signature, Slot, Unit

MAX_STEPS = 200_000  # of the search; a state dict of a thousand layers needs some thousands


@dataclass
class _Module:
    """A node of the tree: a layer, or modules by name."""

    unit: int | None = None
    inner: dict[str, _Module] = field(default_factory=dict)
    kinds: tuple[Any, ...] = ()
    """Its contents without names: equal modules keep their order."""


def by_tree(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching in which the layers of each module are consecutive, if there is one."""
    if len(slots) != len(units):
        return None
    root = _Module()
    for index, unit in enumerate(units):
        module = root
        for word in unit.name.split("."):
            module = module.inner.setdefault(word, _Module())
        module.unit = index
    given = [unit.signature for unit in units]
    _describe(root, given)
    best = _Search([slot.signature for slot in slots], given).place(root, 0)
    if best is None:
        return None
    return Matching(
        tuple((slot, units[i]) for slot, i in zip(slots, best.order, strict=True)), "by order within modules"
    )


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
    def __init__(self, wanted: list[Signature], given: list[Signature]) -> None:
        self.wanted, self.given = wanted, given
        self.known: dict[tuple[int, tuple[str, ...], int], _Order | None] = {}

    def place(self, module: _Module, start: int) -> _Order | None:
        """The best order of a module that fits from position `start` on: the fewest oddities."""
        own = [] if module.unit is None else [module.unit]
        if own and self.wanted[start : start + 1] != [self.given[own[0]]]:
            return None
        inside = self.inside(module, tuple(sorted(module.inner, key=natural)), start + len(own))
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
        """The children that may come first: the lowest number, and the first name of each set of equal modules."""
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
        others = [self.given[index] for other in rest if (index := module.inner[other].unit) is not None]
        channels = self.given[unit][1][-1]
        return sum(other[0] == "kernel" and channels in other[2:] for other in others)


def natural(name: str) -> list[tuple[int, int | str]]:
    """layer2 before layer10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]
