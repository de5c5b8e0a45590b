"""The confusion matrix of an evaluation as a picture."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from archspec.diagnostics import counted

if TYPE_CHECKING:
    from archspec.runtime.evaluation.result import Evaluation

NUMBERED = 30
"""Largest number of classes for which every cell shows its count."""
NAMED = 60
"""Largest number of classes for which every row has its name."""


def confusion_png(evaluation: Evaluation) -> bytes:
    """The confusion matrix as a PNG: rows are true classes, shades are shares of the row, numbers are counts."""
    from matplotlib.figure import Figure

    names, counts = evaluation.class_names, evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(0.42 * len(names) + 2, 4), 14)
    figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    title = f"top-1 error {evaluation.top1_error} of {counted(evaluation.images, 'image')}, {evaluation.protocol}"
    axes.set_title(title, loc="left", fontsize=10, wrap=True)
    axes.set(xlabel="predicted class", ylabel="true class")
    if len(names) <= NAMED:
        long = max(map(len, names)) > 3
        axes.set_xticks(range(len(names)), names, rotation=90 if long else 0, fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    if len(names) <= NUMBERED:
        for row, column in np.argwhere(counts):
            shade = "white" if shares[row, column] > 0.5 else "black"
            number = f"{counts[row, column]}"
            axes.text(column, row, number, ha="center", va="center", fontsize=7, color=shade)
    axes.spines[:].set_visible(False)
    contents = BytesIO()
    figure.savefig(contents, format="png")
    return contents.getvalue()
