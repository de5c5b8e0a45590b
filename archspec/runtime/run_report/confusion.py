"""The confusion matrix for the scripts of the page: its cells that are not zero, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import terminal_text
from archspec.runtime.evaluation.result import Evaluation

MOST_CELLS = 200_000
"""Cells that the page holds, about 1 MB; of more, those with the smallest counts are left out."""
LISTED = 20
"""Confusions in the list beside the matrix."""


def confusion_json(evaluation: Evaluation) -> dict[str, Any]:
    """The class names, the images of each class, and for each row the columns and counts of its cells.

    The columns of a row are differences to the column before: the page is smaller.
    """
    counts = evaluation.confusion
    least = smallest_count(counts)
    rows = []
    for row in counts:
        columns = np.flatnonzero(row >= least)
        rows.append([np.diff(columns, prepend=0).tolist(), row[columns].tolist()])
    names = list(map(terminal_text, evaluation.class_names))
    return {"names": names, "totals": counts.sum(axis=1).tolist(), "rows": rows, "least": least}


def smallest_count(counts: npt.NDArray[np.int64]) -> int:
    """The smallest count of a cell that is kept, so that at most MOST_CELLS are."""
    found = counts[counts > 0]
    if len(found) <= MOST_CELLS:
        return 1
    return int(np.sort(found)[-MOST_CELLS]) + 1


def largest_confusions(evaluation: Evaluation, number: int = LISTED) -> list[tuple[str, str, int, int]]:
    """(true class, predicted class, images, images of the true class), the most frequent first."""
    counts = evaluation.confusion.copy()
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:number]
    names = evaluation.class_names
    found = []
    for row, column in zip(*np.unravel_index(order, counts.shape), strict=True):
        if counts[row, column]:
            found.append((names[row], names[column], int(counts[row, column]), int(totals[row])))
    return found
