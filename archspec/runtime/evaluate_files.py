"""The files of an evaluation: evaluation.json, confusion.csv and the confusion matrix as a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from archspec.runtime.evaluate import Evaluation
from archspec.runtime.run_directory import refuse_existing, write_json
from archspec.runtime.write import atomic, os_errors, write_text

NUMBERED = 30  # classes up to which every cell shows its number
NAMED = 60  # classes up to which every row has its name


def write_evaluation(evaluation: Evaluation, directory: str | Path) -> Path:
    """Write the three files into a new or empty folder, and return it.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    directory = Path(directory)
    refuse_existing(directory, overwrite=False)
    with os_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "evaluation.json", evaluation.to_json())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["true / predicted", *evaluation.class_names])
    for name, row in zip(evaluation.class_names, evaluation.confusion.tolist(), strict=True):
        writer.writerow([name, *row])
    write_text(directory / "confusion.csv", text.getvalue())
    draw_confusion(directory / "confusion.png", evaluation)
    return directory


def evaluation_text(evaluation: Evaluation) -> str:
    """The figures for a terminal: accuracy, loss, each class, and what it is most often taken for."""
    top5 = "" if evaluation.top5 is None else f", top-5 {100 * evaluation.top5:.2f} %"
    lines = [
        f"{evaluation.model} on {evaluation.data}: {evaluation.images:,} images",
        f"top-1 {100 * evaluation.top1:.2f} %{top5}, cross-entropy {evaluation.loss:.4f} nats, "
        f"{evaluation.images_per_second:,.0f} images/s",
        "",
    ]
    width = max(map(len, evaluation.class_names))
    for row, each in enumerate(evaluation.classes):
        wrong = evaluation.confusion[row].copy()
        wrong[row] = 0
        mistaken = f", most often taken for {evaluation.class_names[wrong.argmax()]}" if wrong.any() else ""
        share = "no images" if each.accuracy is None else f"{100 * each.accuracy:6.2f} %"
        lines.append(f"{each.name:<{width}}  {share}  {each.correct} of {each.images}{mistaken}")
    return "\n".join(lines)


def draw_confusion(path: Path, evaluation: Evaluation) -> None:
    """The confusion matrix as a PNG: each row's shares as shades, its counts as numbers, true classes downwards."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names, counts = evaluation.class_names, evaluation.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(max(0.42 * len(names) + 2, 4), 14)
    figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_title(f"top-1 {100 * evaluation.top1:.2f} % of {evaluation.images:,} images", loc="left", fontsize=10)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(names) <= NAMED:
        long = max(map(len, names)) > 3
        axes.set_xticks(range(len(names)), names, rotation=90 if long else 0, fontsize=8)
        axes.set_yticks(range(len(names)), names, fontsize=8)
    if len(names) <= NUMBERED:
        for row, column in np.argwhere(counts):
            shade = "white" if shares[row, column] > 0.5 else "black"
            number = f"{counts[row, column]}"
            axes.text(column, row, number, ha="center", va="center", fontsize=7, color=shade)
    for spine in axes.spines.values():
        spine.set_visible(False)
    with atomic(path) as temporary:
        figure.savefig(temporary)
