"""Replace consecutive equal layers by one layer with `repeat`."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from fractions import Fraction
from typing import Any

from archspec.graph.decompile.draft import FREE, LayerDraft, walk
from archspec.graph.diff.isomorphism import rounded
from archspec.ops import OPS

MAX_FIRST = 2
"""The number of arguments of the first copy that may differ from the others."""
TOTALS = (0.2, 0.1, 0.5, 0.3, 0.4, 0.8, 1.0)
"""Common final values of rates that increase from copy to copy."""


def collapse(items: list[LayerDraft], units: Set[str]) -> None:
    """Replace each stretch of copies in the list, in place. The first call of one of `units` may differ."""
    start = 0
    while start < len(items):
        stop, args, first = _stretch(items, start, units)
        if stop - start > 1:
            items[start:stop] = [_repeated(items[start:stop], args, first)]
        start += 1


def _repeated(copies: list[LayerDraft], args: dict[str, Any], first: dict[str, Any]) -> LayerDraft:
    one, last = copies[0], copies[-1]
    hints = tuple(hint for item in copies for each in walk([item]) for hint in each.hints)
    return replace(
        one,
        args=args,
        first=first,
        count=len(copies),
        node=last.node,
        labelled=last.labelled,
        shape=last.shape,
        hints=hints,
    )


def _stretch(items: list[LayerDraft], start: int, units: Set[str]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Where the copies that begin at `start` end, their arguments, and those of the first that differ."""
    one = items[start]
    stop = start + 1
    nothing: dict[str, Any] = {}
    if one.labelled or one.count > 1 or not _plain(one):
        return stop, one.args, nothing
    following = []
    while stop < len(items) and _continues(items[stop], one):
        following.append(items[stop])
        stop += 1
        if items[stop - 1].labelled:
            break
    if not following:
        return start + 1, one.args, nothing
    equal = 1 + next((i for i, item in enumerate(following) if item.args != one.args), len(following))
    if equal > 1:
        return start + equal, one.args, nothing
    growing = _growing([one, *following])
    if growing:
        return start + growing[0], growing[1], nothing
    if one.head not in units or len(one.args) < 2:
        return start + 1, one.args, nothing
    model = following[0].args
    equal = 2 + next((i for i, item in enumerate(following[1:]) if item.args != model), len(following) - 1)
    differing = {word: value for word, value in one.args.items() if value != model[word]}
    bare = next(iter(one.args))
    if len(differing) > MAX_FIRST or bare in differing or FREE in differing.values():
        return start + 1, one.args, nothing
    return start + equal, model, differing


def _plain(item: LayerDraft) -> bool:
    """Whether nothing inside is read by name, and the item is more than a `from`."""
    inside = [each for branch in item.branches for each in walk(branch)]
    merge = item.head in OPS and len(item.origin) > 1
    return bool(item.head) and item.share < 0 and not merge and not any(each.origin or each.labelled for each in inside)


def _continues(item: LayerDraft, one: LayerDraft) -> bool:
    """Whether an item may be a copy of the one before, except for its arguments."""
    same = (
        item.head == one.head
        and item.count == 1
        and item.share < 0
        and not item.origin
        and item.args.keys() == one.args.keys()
    )
    return same and alike(item.branches, one.branches)


def alike(some: list[list[LayerDraft]], others: list[list[LayerDraft]]) -> bool:
    """Whether branches hold the same items with the same arguments."""
    if [len(branch) for branch in some] != [len(branch) for branch in others]:
        return False
    pairs = ((a, b) for one, other in zip(some, others, strict=True) for a, b in zip(one, other, strict=True))
    return all(
        a.head == b.head
        and a.args == b.args
        and (a.count, a.first) == (b.count, b.first)
        and not (a.origin or b.origin or a.labelled or b.labelled)
        and alike(a.branches, b.branches)
        for a, b in pairs
    )


def _growing(copies: list[LayerDraft]) -> tuple[int, dict[str, Any]] | None:
    """How many copies differ only in a rate that grows linearly, and their arguments: `$(0.2 * copy / 16)`."""
    one, other = copies[0].args, copies[1].args
    differing = [word for word in one if one[word] != other[word]]
    if len(differing) != 1 or not all(isinstance(args[differing[0]], float) for args in (one, other)):
        return None
    (word,) = differing
    step = other[word] - one[word]
    count = 0
    for item in copies:
        rest = {key: value for key, value in item.args.items() if key != word}
        value = item.args[word]
        expected = one[word] + count * step
        if rest != {key: value for key, value in one.items() if key != word} or rounded(value) != rounded(expected):
            break
        count += 1
    return count, {**one, word: _expression(one[word], step)}


def _expression(first: float, step: float) -> str:
    """The value of copy 1, 2, 3, ... as arithmetic."""
    before = Fraction(first / step).limit_denominator(1)
    place = f"(copy {'+' if before > 1 else '-'} {abs(before - 1)})" if before != 1 else "copy"
    if rounded(float(before) * step) != rounded(first):
        return f"$({rounded(first - step)!r} + {rounded(step)!r} * copy)"
    if len(repr(rounded(step))) <= 8:
        return f"$({rounded(step)!r} * {place})"
    for total in TOTALS:
        parts = round(total / step)
        if 0 < parts <= 1000 and rounded(total / parts) == rounded(step):
            return f"$({total} * {place} / {parts})"
    return f"$({step!r} * {place})"
