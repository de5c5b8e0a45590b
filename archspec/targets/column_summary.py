"""What a label column seems to hold, before an output of a network says so: for reports on a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archspec.diagnostics import ArchspecError, counted, listed, printable
from archspec.targets.base import label_error
from archspec.targets.label_column import LabelColumn, joined
from archspec.targets.label_text import check_labels, label_lists

SHOWN = 20
"""Classes that a line names."""


@dataclass(frozen=True)
class ColumnSummary:
    """A label column of one part of a data set.

    Attributes:
        name: "" for the only column.
        kind: `classes`, `several labels` or `numbers`.
        counts: number of images of each class or label; () for numbers.
        spread: least value, mean and greatest value of each column of numbers, by its name.
    """

    name: str
    kind: str
    counts: tuple[tuple[str, int], ...] = ()
    spread: tuple[tuple[str, tuple[float, float, float]], ...] = ()

    def __str__(self) -> str:
        """`label:color: 3 classes: blue 12, green 9, red 14`."""
        place = f"label:{printable(self.name)}" if self.name else "label"
        if self.kind == "numbers":
            shown = (
                f"{printable(name)} {low:g} to {high:g}, mean {mean:.4g}".strip()
                for name, (low, mean, high) in self.spread
            )
            return f"{place}: numbers: {'; '.join(shown)}"
        what = counted(len(self.counts), "class" if self.kind == "classes" else "label")
        each = listed((f"{printable(name)} {count:,}" for name, count in self.counts), SHOWN)
        several = "" if self.kind == "classes" else ", several for an image"
        return f"{place}: {what}{several}: {each}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        spread = {name: dict(zip(("least", "mean", "greatest"), values, strict=True)) for name, values in self.spread}
        return {"name": self.name, "kind": self.kind, "counts": dict(self.counts), "numbers": spread}


def summarized(column: LabelColumn) -> ColumnSummary:
    """What a column seems to hold: numbers if one has decimals, several labels if cells are lists, else classes."""
    if column.matrix is None:
        return _of_cells(column)
    if not column.is_indicator:
        return _numbers(column)
    one_hot = bool((column.matrix.sum(axis=1) == 1).all())
    totals = column.matrix.sum(axis=0).astype(int).tolist()
    kind = "classes" if one_hot else "several labels"
    return ColumnSummary(column.name, kind, tuple(zip(column.cells, totals, strict=True)))


def _of_cells(column: LabelColumn) -> ColumnSummary:
    assert column.codes is not None
    counts = np.bincount(column.codes, minlength=len(column.cells)).tolist()
    of_cell = {cell: count for cell, count in zip(column.cells, counts, strict=True) if count}
    error = label_error("", column.name)
    try:
        check_labels([cell for cell in of_cell if cell], error)
        if "" not in of_cell:
            return ColumnSummary(column.name, "classes", tuple(of_cell.items()))
    except ArchspecError:
        matrix = joined([column])
        if matrix is not None:
            return _numbers(matrix)
    try:
        lists = label_lists(of_cell, lambda labels: False, error)
    except ArchspecError:  # where a separator is not sure
        lists = {cell: (cell,) if cell else () for cell in of_cell}
    totals: dict[str, int] = {}
    for cell, labels in lists.items():
        for label in labels:
            totals[label] = totals.get(label, 0) + of_cell[cell]
    return ColumnSummary(column.name, "several labels", tuple(sorted(totals.items())))


def _numbers(column: LabelColumn) -> ColumnSummary:
    matrix = column.matrix
    assert matrix is not None
    spread = [(float(each.min()), float(each.mean()), float(each.max())) for each in matrix.T]
    return ColumnSummary(column.name, "numbers", (), tuple(zip(column.cells, spread, strict=True)))
