"""The learning curves of a run: loss and top-1 accuracy, of training and validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.runtime.system.atomic_write import atomic

TRAINING, VALIDATION, QUIET = "#9aa5b1", "#0b6e99", "#e4e7eb"


def draw_curves(
    path: Path,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    loss: str = "cross-entropy",
    unit: str = "nats",
    differs: str = "",
) -> None:
    """Draw the rows of history.csv into a PNG, atomically. Without rows nothing is written.

    loss, unit: name and unit of the loss. differs: what only the training loss has, such as `label smoothing 0.1`.

    Raises:
        ArchspecError: `cannot-write`.
    """
    if not rows:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, MaxNLocator

    epochs = [row["epoch"] for row in rows]
    best = max(rows, key=lambda row: (row["val_top1"], -row["val_loss"]))
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    left, right = figure.subplots(1, 2)
    of_loss = f"{loss} ({unit})" if unit else loss
    panels = ((left, "loss", 1.0, of_loss), (right, "top1", 100.0, "top-1 accuracy (%)"))
    for axes, column, factor, heading in panels:
        for prefix, color, name in (("", TRAINING, "training"), ("val_", VALIDATION, "validation")):
            values = [factor * row[prefix + column] for row in rows]
            marker = "o" if len(rows) == 1 else None
            label = f"{name}, with {differs}" if differs and not prefix else name
            axes.plot(epochs, values, color=color, label=label, linewidth=1.8, marker=marker, markersize=4)
        axes.plot([best["epoch"]], [factor * best["val_" + column]], "o", color=VALIDATION, markersize=6)
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
    found = f"best {100 * best['val_top1']:.2f} % in epoch {best['epoch']}"
    right.set_title(found, loc="right", fontsize=10, color=VALIDATION)
    left.legend(frameon=False, fontsize=9)
    with atomic(path) as temporary:
        figure.savefig(temporary)
