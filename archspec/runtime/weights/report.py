"""Matched and unmatched layers as lines of text."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

from archspec.diagnostics import listed
from archspec.format import Table
from archspec.runtime.weights.unit import Slot, Unit, shown

MAX_LINES = 24
"""Of a table of mismatches; the last line counts the rest."""
AROUND = 2
"""Rows of matching layers before and after a mismatch."""

Row = tuple[str, str, str]
"""A sign, empty if the layers fit; the layer of the network; the layer in the file."""


def mismatch(slots: Sequence[Slot], units: Sequence[Unit]) -> list[str]:
    """The notes of the error: counts by class, then a table around the first mismatches."""
    fit, rows = _aligned(slots, units)
    notes = [f"{fit} of the network's {len(slots)} layers with weights fit; the file has {len(units)}"]
    wanted, given = (Counter(layer.kind for layer in layers) for layers in (slots, units))
    notes.append(f"the network has {_counts(wanted)}; the file has {_counts(given)}")
    return [
        *notes,
        "in order (-: missing in the file, +: missing in the network, ≠: different shape):",
        *_table(_around(rows)),
    ]


def _counts(kinds: Counter[str]) -> str:
    return listed(f"{count} {kind}" for kind, count in kinds.items()) or "nothing"


def _aligned(slots: Sequence[Slot], units: Sequence[Unit]) -> tuple[int, list[Row]]:
    """The number of layers that fit, and the rows, class by class."""
    rows: list[Row] = []
    fit = 0
    layers: list[Slot | Unit] = [*slots, *units]
    for operator_class in dict.fromkeys(layer.signature[0] for layer in layers):
        here = [slot for slot in slots if slot.signature[0] == operator_class]
        there = [unit for unit in units if unit.signature[0] == operator_class]
        wanted, given = ([layer.signature for layer in layers] for layers in (here, there))
        matcher = difflib.SequenceMatcher(None, wanted, given, autojunk=False)
        for tag, a, b, c, d in matcher.get_opcodes():
            fit += b - a if tag == "equal" else 0
            for slot, unit in zip_longest(here[a:b], there[c:d]):
                sign = "" if tag == "equal" else "≠" if slot and unit else "-" if slot else "+"
                rows.append((sign, _here(slot), _here(unit)))
    return fit, rows


def _here(layer: Slot | Unit | None) -> str:
    return f"{layer.name} ({layer.kind} {shown(layer.shapes)})" if layer else "(nothing)"


def _around(rows: Sequence[Row]) -> list[Row]:
    """The mismatches with some rows around them, and the number of rows left out."""
    near = {j for i, row in enumerate(rows) if row[0] for j in range(i - AROUND, i + AROUND + 1)}
    chosen: list[Row] = []
    last = -1
    for index in sorted(near & set(range(len(rows)))):
        if index != last + 1:
            chosen.append(("…", f"({index - last - 1} that fit)", ""))
        chosen.append(rows[index])
        last = index
    if len(chosen) > MAX_LINES:
        rest = sum(1 for row in chosen[MAX_LINES:] if row[0] not in ("", "…"))
        chosen = [*chosen[:MAX_LINES], ("…", f"({rest} more that do not fit)", "")]
    return chosen


def _table(rows: Sequence[Row]) -> list[str]:
    return Table(("", "", ""), [(sign or "=", here, there) for sign, here, there in rows]).lines()
