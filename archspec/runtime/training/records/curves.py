"""The learning curves of a run: the loss and the main metrics, of training and validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.runtime.system.atomic_write import atomic

TRAINING, VALIDATION, QUIET = "#9aa5b1", "#0b6e99", "#e4e7eb"
STYLES = ("-", "--", ":", "-.")
"""The lines of several outputs; those of more than four are not drawn."""
HEADINGS = {
    "top1": "top-1 accuracy (%)",
    "auc": "area under the ROC curve",
    "map": "mean average precision",
    "r2": "R2",
}


def draw_curves(
    path: Path,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    loss: str = "cross-entropy",
    unit: str = "nats",
    differs: str = "",
    best: int | None = None,
    scores: Sequence[str] = ("val_top1",),
) -> None:
    """Draw the rows of history.csv into a PNG, atomically. Without rows nothing is written.

    Args:
        loss, unit: name and unit of the loss.
        differs: what only the training loss has, such as `label smoothing 0.1`.
        best: the best epoch; by default that with the largest mean of `scores`.
        scores: the columns of the main metrics of the outputs.

    Raises:
        ArchspecError: `cannot-write`.
    """
    if not rows:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, MaxNLocator

    epochs = [row["epoch"] for row in rows]
    chosen = next((row for row in rows if row["epoch"] == best), None)
    chosen = chosen or max(rows, key=lambda row: (sum(row[column] for column in scores), -row["val_loss"]))
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    left, right = figure.subplots(1, 2)
    of_loss = f"{loss} ({unit})" if unit else loss
    scale, of_metric, columns = _metrics(scores)
    panels = ((left, ["loss"], 1.0, of_loss), (right, columns, scale, of_metric))
    for axes, names, factor, heading in panels:
        for column, style in zip(names, STYLES, strict=False):
            for prefix, color, name in (("", TRAINING, "training"), ("val_", VALIDATION, "validation")):
                if prefix + column not in rows[0]:  # only a validation has it
                    continue
                values = [factor * row[prefix + column] for row in rows]
                marker = "o" if len(rows) == 1 else None
                label = f"{name}, with {differs}" if differs and not prefix else name
                label = label if len(names) == 1 else f"{column.rpartition('_')[0]}, {name}"
                axes.plot(epochs, values, style, color=color, label=label, linewidth=1.8, marker=marker, markersize=4)
            axes.plot([chosen["epoch"]], [factor * chosen["val_" + column]], "o", color=VALIDATION, markersize=6)
        axes.set_xlabel("epoch")
        axes.set_title(heading, loc="left", fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True) if len(rows) > 1 else FixedLocator(epochs))
        axes.grid(axis="y", color=QUIET)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    losses = [row[column] for row in rows for column in ("loss", "val_loss") if math.isfinite(row[column])]
    if max(losses) > 20 * min(losses) > 0:  # one bad epoch would flatten the rest
        left.set_yscale("log")
        left.yaxis.set_major_formatter("{x:g}")
        how = f"{unit}, logarithmic" if unit else "logarithmic"
        left.set_title(f"{loss} ({how})", loc="left", fontsize=10)
    value = sum(scale * chosen["val_" + column] for column in columns) / len(columns)
    text = f"{value:.2f} %" if scale == 100 else f"{value:.4f}"
    found = f"best {'mean ' * (len(columns) > 1)}{text} in epoch {chosen['epoch']}"
    if len(columns) > 1:
        right.legend(frameon=False, fontsize=9)
    right.set_title(found, loc="right", fontsize=10, color=VALIDATION)
    left.legend(frameon=False, fontsize=9)
    with atomic(path) as temporary:
        figure.savefig(temporary)


def _metrics(scores: Sequence[str]) -> tuple[float, str, list[str]]:
    """The factor, the heading and the columns of the panel of the main metrics."""
    columns = [score.removeprefix("val_") for score in scores]
    kinds = list(dict.fromkeys(column.rpartition("_")[2] for column in columns))
    if len(kinds) == 1:
        return (100.0 if kinds[0] == "top1" else 1.0), HEADINGS.get(kinds[0], kinds[0]), columns
    return 1.0, "main metrics (1 is perfect)", columns
