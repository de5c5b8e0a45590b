"""Names that the network and the file share, and layers whose order only the alphabet tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from archspec.runtime.weights.matching import Matching, Slot, Unit

Match = Callable[[list[Slot], list[Unit]], Matching | None]


def contradicts(matching: Matching) -> bool:
    """Whether a layer gets the weights of another one, although the file has a layer of its name and shapes."""
    named = {unit.name: unit for _, unit in matching.pairs}
    own = [(named.get(slot.name), slot, unit) for slot, unit in matching.pairs]
    return any(each is not None and each is not unit and each.signature == slot.signature for each, slot, unit in own)


def names_first(slots: Sequence[Slot], units: Sequence[Unit], match: Match) -> Matching | None:
    """The matching in which layers of equal names and shapes are pairs, and `match` pairs the others."""
    named = {unit.name: unit for unit in units}
    pairs = {
        id(slot): named[slot.name]
        for slot in slots
        if slot.name in named and named[slot.name].signature == slot.signature
    }
    taken = set(map(id, pairs.values()))
    rest = match([slot for slot in slots if id(slot) not in pairs], [each for each in units if id(each) not in taken])
    if rest is None:
        return None
    pairs |= {id(slot): unit for slot, unit in rest.pairs}
    how = f"by name and {rest.how}" if rest.pairs else "by name"
    return replace(rest, pairs=tuple((slot, pairs[id(slot)]) for slot in slots), how=how)


def in_alphabetical_order(units: Sequence[Unit]) -> tuple[str, ...]:
    """Modules side by side with equal layers, and without a number in their names: `body`, `stem`."""
    inside: dict[str, dict[str, list[object]]] = {}
    for unit in units:
        words = unit.name.split(".")
        for depth, word in enumerate(words):
            module = inside.setdefault(".".join(words[:depth]), {})
            module.setdefault(word, []).append((words[depth + 1 :], unit.signature))
    found: list[str] = []
    for parent, children in inside.items():
        alike: dict[str, list[str]] = {}
        for word, layers in children.items():
            if not any(map(str.isdigit, word)):
                alike.setdefault(repr(layers), []).append(f"{parent}.{word}" if parent else word)
        found += [name for names in alike.values() if len(names) > 1 for name in names]
    return tuple(found)
