"""Unify stretches of layers with the same operators into one template with constants and parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.graph.decompile.draft import FREE, Free, LayerDraft
from archspec.graph.decompile.writer import SIZES, ArgumentDraft

RELATED = (*SIZES, "groups")
"""Arguments that may share a parameter, or be multiples of one or of the channels that enter."""
COMMON = 0.5
"""The share of calls with one value that makes it the default of a parameter."""

Vector = list[Any]
"""A value for each stretch; FREE if any value will do."""


@dataclass
class Template:
    """The items of a block, its parameters, and the arguments of each call."""

    items: list[LayerDraft]
    parameters: list[ArgumentDraft]
    calls: list[dict[str, Any]]


@dataclass
class _Slot:
    """An argument in the template and its value in each stretch."""

    item: LayerDraft
    word: str
    values: Vector

    @property
    def kind(self) -> str:
        """The word without the number of an argument of a block: `filters_2` is one of `filters`."""
        return re.sub(r"_\d+\Z", "", self.word)


@dataclass
class _Parameter:
    kind: str
    values: Vector
    slots: list[tuple[_Slot, str]] = field(default_factory=list)
    """The arguments that follow from this parameter, each with its expression of the name `{}`."""


def unify(stretches: Sequence[Sequence[LayerDraft]]) -> Template | None:
    """The template of stretches whose operators are the same; None when their structure is not."""
    slots: list[_Slot] = []
    items = _items(stretches, slots, alone=len(stretches[0]) == 1)
    if items is None:
        return None
    if any(_counts_copies(slot.values) for slot in slots if slot.item is not items[0] or len(items) > 1):
        return None
    entering = [stretch[0].channels for stretch in stretches]
    parameters: list[_Parameter] = []
    for slot in sorted(slots, key=_magnitude):
        if slot.word == "padding" and FREE in slot.values:
            _padding(slot, slots, parameters)
        _place(slot, parameters, entering)
    order = {id(slot): index for index, slot in enumerate(slots)}
    parameters.sort(key=lambda each: (each.kind not in SIZES, min(order[id(slot)] for slot, _ in each.slots)))
    return _named(items, parameters, len(stretches))


def _counts_copies(values: Vector) -> bool:
    """Whether an argument that differs contains `copy`, which is undefined outside its `repeat`."""
    counting = any(isinstance(value, str) and "copy" in value for value in values)
    return counting and any(value != values[0] for value in values)


def _items(
    stretches: Sequence[Sequence[LayerDraft] | None], slots: list[_Slot], *, alone: bool = False
) -> list[LayerDraft] | None:
    """The items of the template; a stretch that is None lacks them. Copies of one `alone` are those of its calls."""
    given = [stretch for stretch in stretches if stretch is not None]
    if len({len(stretch) for stretch in given}) != 1:
        return None
    items = [
        _item([None if stretch is None else stretch[position] for stretch in stretches], slots, alone=alone)
        for position in range(len(given[0]))
    ]
    made = [item for item in items if item]
    return made if len(made) == len(items) else None


def _item(copies: Sequence[LayerDraft | None], slots: list[_Slot], *, alone: bool) -> LayerDraft | None:
    given = [item for item in copies if item is not None]
    one = given[0]
    by_name = any(isinstance(each, str) for item in given for each in item.origin)
    if any(
        (item.head, item.name) != (one.head, one.name)
        or (by_name and item.origin != one.origin)
        or (not alone and (item.count, item.first) != (one.count, one.first))
        for item in given
    ):
        return None
    local = tuple(each for each in one.origin if isinstance(each, str))
    item = LayerDraft(one.head, dict.fromkeys(one.args, FREE), origin=local, name=one.name, hints=one.hints)
    if not alone:
        item.count, item.first = one.count, dict(one.first)
    for word in one.args:
        values = [FREE if each is None else each.args.get(word, FREE) for each in copies]
        slots.append(_Slot(item, word, values))
    branches = max(len(each.branches) for each in given)
    if one.head != "residual" and any(len(each.branches) != branches for each in given):
        return None
    if one.head == "residual" and branches == 2 and any(each.grows != (len(each.branches) == 2) for each in given):
        return None  # a projection that is not for another shape
    for number in range(branches):
        branch = [each.branches[number] if each and number < len(each.branches) else None for each in copies]
        inner = _items(branch, slots)
        if inner is None:
            return None
        item.branches.append(inner)
    return item


def _magnitude(slot: _Slot) -> tuple[int, float]:
    """Numbers of channels first, the small ones before their multiples."""
    numbers = [value for value in slot.values if isinstance(value, int)]
    if slot.kind in RELATED:
        return 0, sum(numbers) / max(len(numbers), 1)
    return (2 if slot.word == "padding" else 1), 0


def _padding(slot: _Slot, slots: Sequence[_Slot], parameters: Sequence[_Parameter]) -> None:
    """Where some windows have one pixel and others are padded by pixels: half of the window, or nothing for the one."""
    known = [value for value in slot.values if value is not FREE]
    if all(isinstance(value, str) for value in known):
        return
    kernels = next(each.values for each in slots if each.item is slot.item and each.word == "kernel_size")
    pairs = list(zip(slot.values, kernels, strict=True))
    if all(isinstance(k, int) and type(p) in (int, Free) and (0 if p is FREE else p) == k // 2 for p, k in pairs):
        for parameter in parameters:
            if any(each.item is slot.item and each.word == "kernel_size" for each, _ in parameter.slots):
                parameter.slots.append((slot, "$({} // 2)"))
                slot.values = [FREE] * len(slot.values)
                return
    slot.values = ["valid" if value is FREE else value for value in slot.values]


def _place(slot: _Slot, parameters: list[_Parameter], entering: Sequence[int | None]) -> None:
    """Give an argument its constant, its expression of the channels that enter, or its parameter."""
    known = [value for value in slot.values if value is not FREE]
    if not known:
        return
    if all(value == known[0] and type(value) is type(known[0]) for value in known):
        slot.item.args[slot.word] = known[0]
        return
    alike = [each for each in parameters if (slot.kind in RELATED) == (each.kind in RELATED)]
    alike = [each for each in alike if slot.kind in RELATED or each.kind == slot.kind]
    for parameter in alike:
        if _times(slot.values, parameter.values) == 1:
            parameter.values = [b if a is FREE else a for a, b in zip(parameter.values, slot.values, strict=True)]
            parameter.slots.append((slot, "${}"))
            return
    if slot.kind in RELATED:
        expression = _of_channels(slot.values, entering)
        if expression:
            slot.item.args[slot.word] = expression
            return
        for parameter in alike:
            factor = _times(slot.values, parameter.values)
            if factor:
                parameter.slots.append((slot, f"$({factor} * {{}})"))
                return
    parameters.append(_Parameter(slot.kind, list(slot.values), [(slot, "${}")]))


def _times(values: Vector, others: Vector) -> int | None:
    """k where each value is k times the other; 1 also for equal values that are not numbers."""
    pairs = ((a, b) for a, b in zip(values, others, strict=True) if a is not FREE and b is not FREE)
    ratios = {_ratio(value, other) for value, other in pairs}
    return ratios.pop() if len(ratios) == 1 else None


def _ratio(value: Any, other: Any) -> int | None:
    if value == other and type(value) is type(other):
        return 1
    multiple = type(value) is type(other) is int and other and value % other == 0
    return value // other if multiple else None


def _of_channels(values: Vector, entering: Sequence[int | None]) -> str | None:
    """`$channels`, `$(4 * channels)` or `$(channels // 4)`, where it fits at least two numbers of channels."""
    pairs = {(value, channels) for value, channels in zip(values, entering, strict=True) if value is not FREE}
    if len({channels for _, channels in pairs}) < 2 or not all(type(a) is type(b) is int for a, b in pairs):
        return None
    for template, ratios in (
        ("$({} * channels)", {(value // channels, value % channels) for value, channels in pairs}),
        ("$(channels // {})", {(channels // value, channels % value) for value, channels in pairs}),
    ):
        if len(ratios) == 1:
            ((ratio, rest),) = ratios
            if not rest:
                return "$channels" if ratio == 1 else template.format(ratio)
    return None


def _named(items: list[LayerDraft], parameters: list[_Parameter], count: int) -> Template:
    """The parameters under names, with defaults where most calls agree."""
    names: list[str] = []
    made: list[ArgumentDraft] = []
    calls: list[dict[str, Any]] = [{} for _ in range(count)]
    for number, each in enumerate(parameters):
        alike = sum(name.rpartition("_")[0] == each.kind or name == each.kind for name in names)
        name = f"{each.kind}_{alike + 1}" if alike else each.kind
        names.append(name)
        for slot, expression in each.slots:
            slot.item.args[slot.word] = expression.format(name)
        known = [value for value in each.values if value is not FREE]
        common, often = Counter(map(_hashable, known)).most_common(1)[0]
        value = next(value for value in known if _hashable(value) == common)
        bare = not number and each.kind in SIZES
        default = value if often >= COMMON * len(known) and not bare else FREE
        made.append(ArgumentDraft(name, default))
        for call, given in zip(calls, each.values, strict=True):
            call[name] = value if given is FREE else given
    made.sort(key=lambda parameter: parameter.default is not FREE)
    calls = [{parameter.name: call[parameter.name] for parameter in made} for call in calls]
    return Template(items, made, calls)


def _hashable(value: Any) -> Any:
    return (type(value).__name__, value)
