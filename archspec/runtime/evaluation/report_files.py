"""The files of an evaluation: evaluation.json, classes.csv, confusion.csv and the confusion matrix as a picture."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archspec.format import throughput
from archspec.runtime.evaluation.evaluate import Evaluation
from archspec.runtime.evaluation.tables import csv_table, markdown_table
from archspec.runtime.system.atomic_write import atomic, check_output_folder, os_errors, write_json, write_text

NUMBERED = 30  # classes up to which every cell shows its number
NAMED = 60  # classes up to which every row has its name


def write_evaluation(evaluation: Evaluation, directory: str | Path) -> Path:
    """Write the four files into a new or empty folder, and return it.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    directory = Path(directory)
    check_output_folder(directory)
    with os_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "evaluation.json", evaluation.to_json())
    matrix = zip(evaluation.class_names, evaluation.confusion.tolist(), strict=True)
    _write_csv(
        directory / "confusion.csv",
        [["true / predicted", *evaluation.class_names], *([name, *row] for name, row in matrix)],
    )
    rows: list[list[Any]] = [["class", "images", "top1_error", "low", "high", "top5_error"]]
    for each in evaluation.classes:
        five = each.images - each.correct_top5 if each.correct_top5 is not None else None
        top5 = "" if five is None or not each.images else five / each.images
        rows.append([each.name, each.images, each.error.rate, *each.error.interval, top5])
    _write_csv(directory / "classes.csv", rows)
    draw_confusion(directory / "confusion.png", evaluation)
    return directory


def write_evaluations(evaluations: Sequence[Evaluation], directory: str | Path) -> Path:
    """Write table.md, table.csv and a folder with the files of each evaluation, numbered and named by its protocol.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    directory = Path(directory)
    check_output_folder(directory)
    for number, each in enumerate(evaluations, 1):
        words = f"{number}-{each.protocol}" if each.members == 1 else f"{number}-ensemble"
        write_evaluation(each, directory / re.sub(r"[^A-Za-z0-9+-]+", "-", words).strip("-")[:60])
    write_text(directory / "table.md", markdown_table(evaluations) + "\n")
    write_text(directory / "table.csv", csv_table(evaluations) + "\n")
    return directory


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())


def evaluation_text(evaluation: Evaluation) -> str:
    """The figures for a terminal: error rates, loss, each class, and what it is most often taken for."""
    top5 = "" if evaluation.top5_error is None else f", top-5 error {evaluation.top5_error}"
    speed = evaluation.images_per_second
    lines = [
        f"{evaluation.model} on {evaluation.data}: {evaluation.images:,} images, {evaluation.protocol}, "
        f"{evaluation.passes:,} forward pass{'es' if evaluation.passes > 1 else ''} an image",
        f"top-1 error {evaluation.top1_error}{top5}; in parentheses the 95 % interval",
        f"accuracy {100 * evaluation.top1:.2f} %, cross-entropy {evaluation.loss:.4f} nats"
        + ("" if speed is None else f", {throughput(speed)} images/s"),
        "",
    ]
    width = max(map(len, evaluation.class_names))
    rates = [str(each.error).partition(" (") for each in evaluation.classes]
    shares, intervals = (max(len(rate[part]) for rate in rates) for part in (0, 2))
    lines.append("top-1 error of each class")
    for row, (each, (share, _, interval)) in enumerate(zip(evaluation.classes, rates, strict=True)):
        wrong = evaluation.confusion[row].copy()
        wrong[row] = 0
        mistaken = f", most often taken for {evaluation.class_names[wrong.argmax()]}" if wrong.any() else ""
        right = f"{each.correct} of {each.images} right"
        lines.append(f"{each.name:<{width}}  {share:>{shares}} {'(' + interval:<{intervals + 1}}  {right}{mistaken}")
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
    title = f"top-1 error {evaluation.top1_error} of {evaluation.images:,} images, {evaluation.protocol}"
    axes.set_title(title, loc="left", fontsize=10, wrap=True)
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
