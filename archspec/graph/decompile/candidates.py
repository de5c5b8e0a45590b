"""Candidates for blocks: stretches of layers with the same operators, ranked by the lines that a block saves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from archspec.graph.decompile.draft import LayerDraft, walk
from archspec.graph.decompile.unify import Template, unify
from archspec.ops import OPS, Op

MAX_LENGTH = 14  # items of a block
MAX_PARAMETERS = 5
MIN_SAVING = 1.5  # lines
PARAMETER = 0.2  # lines that an argument of a call costs a reader
ODD, MAX_ODD = 0.2, 3
"""The share of stretches that may be left out because of a differing value, and the number of attempts."""

Keys = dict[Any, int]
"""The operators of a layer, including those in its branches -> an id."""


class Place(NamedTuple):
    """A stretch of items."""

    items: list[LayerDraft]
    start: int
    stop: int

    @property
    def stretch(self) -> list[LayerDraft]:
        return self.items[self.start : self.stop]


def best_block(all_lists: Sequence[list[LayerDraft]], known: Keys) -> tuple[list[Place], Template] | None:
    """The stretches whose block saves the most lines, and its template."""
    best: tuple[float, list[Place], Template] | None = None
    for bound, weight, places in _candidates(all_lists, known):
        if best and bound <= best[0]:
            break
        for chosen in _with_one_projection(places):
            for fewer in _without_odd_ones(chosen):
                template = unify([place.stretch for place in fewer])
                if template is None or len(template.parameters) > MAX_PARAMETERS:
                    continue
                saving = _saving(len(fewer), weight, len(template.parameters))
                if saving >= MIN_SAVING and (best is None or saving > best[0]):
                    best = (saving, fewer, template)
    return best and (best[1], best[2])


def _candidates(all_lists: Sequence[list[LayerDraft]], known: Keys) -> list[tuple[float, float, list[Place]]]:
    """Non-overlapping stretches with the same operators, with their weight and the most lines that a block can save."""
    groups: dict[tuple[int, ...], list[Place]] = {}
    for items in all_lists:
        for keys, place in _places(items, known):
            groups.setdefault(keys, []).append(place)
    found = []
    for keys, places in groups.items():
        stretch = places[0].stretch
        weight = sum(map(weight_of, stretch)) - _redundant(stretch, keys)
        if len(places) > 1 and weight > 1:
            apart = _apart(places)
            bound = _saving(len(apart), weight, 0)
            if bound >= MIN_SAVING:
                found.append((bound, weight, apart))
    return sorted(found, key=lambda each: (-each[0], -each[2][0].start))


def _places(items: list[LayerDraft], known: Keys) -> Iterator[tuple[tuple[int, ...], Place]]:
    """Every stretch of a list that a block can hold: only its first item may have a `from`, only its last a name."""
    keys = [_key(item, known) for item in items]
    for start, item in enumerate(items):
        inside = [keys[start]]
        if item.branches and inside != [None]:  # by itself, an item counts without its copies
            alone = _key(item, known, alone=True)
            assert alone is not None
            yield (alone,), Place(items, start, start + 1)
        for stop in range(start + 2, min(len(items), start + MAX_LENGTH) + 1):
            inside.append(keys[stop - 1])
            if None in inside or items[stop - 1].origin or items[stop - 2].labelled or _repeats(inside):
                break
            yield tuple(key for key in inside if key is not None), Place(items, start, stop)


def _key(item: LayerDraft, known: Keys, *, alone: bool = False) -> int | None:
    """A key that is equal for items with the same operators; None for items that a block cannot contain.

    Arguments are ignored. The projection of a residual is ignored, since only the units that change the shape have
    one."""
    if not item.head or len(item.origin) > 1 or item.share >= 0:
        return None
    branches = item.branches[:1] if item.head == "residual" else item.branches
    inside = []
    for branch in branches:
        keys = [_key(each, known) for each in branch]
        if None in keys or any(each.origin or each.labelled for each in branch):
            return None
        inside.append(tuple(keys))
    copies = () if alone else (item.count, tuple(sorted(item.first.items(), key=repr)))
    return known.setdefault((item.head, tuple(inside), copies), len(known))


def weight_of(item: LayerDraft) -> float:
    """The lines that an item takes."""
    return 1 + sum(0.5 + sum(map(weight_of, branch)) for branch in item.branches)


def _saving(count: int, weight: float, parameters: int) -> float:
    """Lines saved by a block: each stretch becomes one line, the block itself takes its own and two more."""
    return count * (weight - 1 - PARAMETER * parameters) - weight - 2


def _apart(places: Sequence[Place]) -> list[Place]:
    """Those that do not overlap the ones before them."""
    ends: dict[int, int] = {}
    found = []
    for place in places:
        if place.start >= ends.get(id(place.items), 0):
            found.append(place)
            ends[id(place.items)] = place.stop
    return found


def _repeats(keys: Sequence[int | None]) -> bool:
    """Whether the stretch ends in a repetition or the start of one (relu, conv, relu), better written as `repeat`."""
    length = len(keys)
    if length > 2 and keys[-3] == keys[-1]:
        return True
    return any(keys[length - 2 * n : length - n] == keys[length - n :] for n in range(1, length // 2 + 1))


def _redundant(stretch: Sequence[LayerDraft], keys: Sequence[int]) -> int:
    """The lines that a smaller block, of a layer with weights and what follows it, would save inside the stretch."""
    most = 0
    for start, item in enumerate(stretch):
        for length in range(2, len(keys) // 2 + 1) if _begins_a_block(item) else ():
            part = keys[start : start + length]
            count = sum(keys[i : i + length] == part for i in range(len(keys) - length + 1))
            most = max(most, count * (length - 1)) if count > 1 else most
    return most


def _begins_a_block(item: LayerDraft) -> bool:
    """Whether a small block begins with this operator: one with weights that is not a normalization."""
    has_weights = item.head in OPS and OPS[item.head].weights is not Op.weights
    return has_weights and item.head not in ("bn", "layer_norm", "group_norm")


def _without_odd_ones(places: list[Place]) -> Iterator[list[Place]]:
    """All stretches; the equal ones; then all except a few in which an argument has a unique value."""
    yield places
    equal: dict[str, list[Place]] = {}
    for place in places:
        equal.setdefault(repr([_written(item) for item in place.stretch]), []).append(place)
    largest = max(equal.values(), key=len)
    if 2 < len(largest) < len(places):
        yield largest
    rest = places
    for _ in range(MAX_ODD):
        template = unify([place.stretch for place in rest])
        if template is None or len(rest) < 4:
            return
        odd: set[int] = set()
        for parameter in template.parameters:
            values = [repr(call[parameter.name]) for call in template.calls]
            common, often = Counter(values).most_common(1)[0]
            others = {index for index, value in enumerate(values) if value != common}
            if often >= len(rest) * (1 - ODD) and (not odd or len(others) < len(odd)):
                odd = others
        if not odd:
            return
        rest = [place for index, place in enumerate(rest) if index not in odd]
        yield rest


def _written(item: LayerDraft) -> Any:
    """The operators and arguments of an item and of the items in it."""
    return item.head, item.args, item.grows, [[_written(each) for each in branch] for branch in item.branches]


def _with_one_projection(places: list[Place]) -> Iterator[list[Place]]:
    """All places, where their residuals have one kind of projection; else those of each kind, with those without."""
    kinds: dict[Any, list[Place]] = {}
    for place in places:
        shape = tuple(
            tuple(inner.head for inner in walk(each.branches[1]))
            for each in walk(place.stretch)
            if each.head == "residual" and len(each.branches) == 2
        )
        kinds.setdefault(shape, []).append(place)
    without = kinds.pop((), [])
    for others in sorted(kinds.values(), key=len, reverse=True) or [[]]:
        chosen = sorted((*others, *without), key=places.index)
        if len(chosen) > 1:
            yield chosen
    if kinds and len(without) > 1:
        yield without
