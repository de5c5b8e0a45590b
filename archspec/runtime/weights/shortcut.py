"""Layers on a shortcut. They can have the shapes of layers of the body; in a state dict, only names tell them apart.

Libraries register the projection of a shortcut before, after or between the other layers, so the order says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.unit import Slot, Unit

MODULES = {"downsample", "shortcut", "skip", "skipbn", "project", "projection"}
"""Names of modules on a shortcut in torchvision, timm and common ResNets for CIFAR."""
SEQUENCES = {"proj"}
"""Names of shortcuts that contain other modules (RegNet of torchvision). A layer of that name ends an attention."""


def told_apart(slots: dict[int, Slot], graph: KerasGraph, units: list[Unit]) -> tuple[dict[int, Slot], list[Unit]]:
    """Slots and units with `shortcut` set, if the names of a state dict tell which layers are on a shortcut."""
    named = called_shortcut(unit.name for unit in units)
    if not named:
        return slots, units
    found = on_shortcuts(slots, graph)
    return (
        {index: replace(slot, shortcut=index in found) for index, slot in slots.items()},
        [replace(unit, shortcut=unit.name in named) for unit in units],
    )


def called_shortcut(names: Iterable[str]) -> set[str]:
    """The names, such as `layer1.0.downsample.0`, of layers on a shortcut."""
    paths = [tuple(name.split(".")) for name in names]
    children: dict[tuple[str, ...], set[str]] = {}
    for path in paths:
        for end in range(len(path)):
            children.setdefault(path[:end], set()).add(path[end])

    def stage(parent: tuple[str, ...]) -> bool:
        """Whether it contains a list of blocks; such a name beside it lies between stages (ConvNeXt, Swin)."""
        lists = ((*parent, child) for child in children[parent])
        return any(
            number.isdecimal() and (*each, number) in children for each in lists for number in children.get(each, ())
        )

    return {
        ".".join(path)
        for path in paths
        if any(
            (word in MODULES or (word in SEQUENCES and end + 1 < len(path))) and not stage(path[:end])
            for end, word in enumerate(path)
        )
    }


def on_shortcuts(slots: Mapping[int, Slot], graph: KerasGraph) -> set[int]:
    """The positions of slots on the smaller branch of an addition: fewer layers, then fewer weights."""
    reached: list[int] = []  # for each call, a bit set of the calls that it depends on, and itself
    found: set[int] = set()
    for index, call in enumerate(graph.calls):
        sources = [position for position, _ in call.inputs]
        bits = 1 << index
        for source in sources:
            bits |= reached[source]
        reached.append(bits)
        if call.kind == "Add" and len(sources) == 2:
            one, other = (reached[source] for source in sources)
            branches = [_slots_of(one & ~other, slots), _slots_of(other & ~one, slots)]
            less, more = sorted(branches, key=lambda branch: (len(branch), _size(branch, slots)))
            if less and (len(less), _size(less, slots)) < (len(more), _size(more, slots)):
                found |= set(less)
    return found


def _slots_of(bits: int, slots: Mapping[int, Slot]) -> list[int]:
    found = []
    while bits:
        last = bits & -bits
        if (index := last.bit_length() - 1) in slots:
            found.append(index)
        bits ^= last
    return found


def _size(positions: Iterable[int], slots: Mapping[int, Slot]) -> int:
    return sum(math.prod(shape) for index in positions for shape in slots[index].shapes)
