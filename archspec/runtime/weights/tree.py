"""Find the order of execution in a state dict that is not in it: `.safetensors` files are sorted by name.

Names are paths (`layer1.0.conv1`). The layers of a module follow each other, numbers in their order, other names in
any; the order is the one, nearest to that of the names, in which the signatures are those of the model's layers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from archspec.runtime.weights.match import Matching
from archspec.runtime.weights.unit import Signature, Slot, Unit

MAX_STEPS = 200_000  # of the search; a state dict of a thousand layers needs some ten thousand


@dataclass
class _Module:
    """A node of the tree: a layer itself, or the modules in it by name."""

    unit: int | None = None
    inner: dict[str, _Module] = field(default_factory=dict)


def by_tree(slots: Sequence[Slot], units: Sequence[Unit]) -> Matching | None:
    """The matching in which the layers of each module follow each other; None when there is none."""
    if len(slots) != len(units):
        return None
    root = _Module()
    for index, unit in enumerate(units):
        module = root
        for word in unit.name.split("."):
            module = module.inner.setdefault(word, _Module())
        module.unit = index
    search = _Search([slot.signature for slot in slots], [unit.signature for unit in units])
    order = search.place(root, 0)
    if order is None:
        return None
    return Matching(tuple((slot, units[i]) for slot, i in zip(slots, order, strict=True)), "by order within modules")


class _Search:
    def __init__(self, wanted: list[Signature], given: list[Signature]) -> None:
        self.wanted, self.given = wanted, given
        self.known: dict[tuple[int, int], list[int] | None] = {}
        self.steps = 0

    def place(self, module: _Module, start: int) -> list[int] | None:
        """The units of a module in an order that fits from position `start` on."""
        key = (id(module), start)
        if key not in self.known:
            self.known[key] = self._place(module, start)
        return self.known[key]

    def _place(self, module: _Module, start: int) -> list[int] | None:
        own = [module.unit] if module.unit is not None else []
        if own and self.wanted[start : start + 1] != [self.given[own[0]]]:
            return None
        names = sorted(module.inner, key=natural)
        inside = self._inside(module, names, start + len(own))
        return None if inside is None else own + inside

    def _inside(self, module: _Module, names: list[str], start: int) -> list[int] | None:
        self.steps += 1
        if not names:
            return []
        if self.steps > MAX_STEPS:
            return None
        numbers = [name for name in names if name.isdecimal()]
        for name in names:
            if name in numbers[1:]:
                continue  # numbers come in their order
            first = self.place(module.inner[name], start)
            if first is not None:
                rest = self._inside(module, [other for other in names if other != name], start + len(first))
                if rest is not None:
                    return first + rest
        return None


def natural(name: str) -> list[tuple[int, int | str]]:
    """layer2 before layer10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", name) if part]
