"""The files of an evaluation: evaluation.json, images.csv, classes.csv, confusion.csv and a plot of the confusion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from archspec.format import Table, csv_text, throughput
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.evaluation.tables import csv_table, markdown_table
from archspec.runtime.system.atomic_write import atomic, make_folder, write_json, write_text

NUMBERED = 30
"""Largest number of classes for which every cell of the plot shows its count."""
NAMED = 60
"""Largest number of classes for which every row of the plot has its name."""


def write_evaluation(evaluation: Evaluation, directory: str | Path) -> Path:
    """Write the files into a folder, and return it. Raises ArchspecError (`cannot-write`)."""
    directory = Path(directory)
    make_folder(directory)
    write_json(directory / "evaluation.json", evaluation.to_json())
    names = evaluation.class_names
    confusion = [[name, *counts] for name, counts in zip(names, evaluation.confusion.tolist(), strict=True)]
    write_text(directory / "confusion.csv", csv_text(["true / predicted", *names], confusion) + "\n")
    classes = [
        [each.name, each.images, each.error.rate, *each.error.interval, each.top5_error and each.top5_error.rate]
        for each in evaluation.classes
    ]
    headings = ["class", "images", "top1_error", "low", "high", "top5_error"]
    write_text(directory / "classes.csv", csv_text(headings, classes) + "\n")
    write_text(directory / "images.csv", csv_text(*_image_table(evaluation)) + "\n")
    draw_confusion(directory / "confusion.png", evaluation)
    return directory


def write_evaluations(evaluations: Sequence[Evaluation], directory: str | Path) -> Path:
    """Write table.md, table.csv, and for each evaluation a folder with its files, numbered and named by its protocol.

    Raises:
        ArchspecError: `cannot-write`.
    """
    directory = Path(directory)
    for number, each in enumerate(evaluations, 1):
        words = f"{number}-{each.protocol}" if each.members == 1 else f"{number}-ensemble"
        write_evaluation(each, directory / re.sub(r"[^A-Za-z0-9+-]+", "-", words).strip("-")[:60])
    write_text(directory / "table.md", markdown_table(evaluations) + "\n")
    write_text(directory / "table.csv", csv_table(evaluations) + "\n")
    return directory


def _image_table(evaluation: Evaluation) -> tuple[list[str], list[list[object]]]:
    """Headings and a row for each image: its true class, and its most probable classes, at most five."""
    found, names = evaluation.predictions, evaluation.class_names
    top = min(5, len(names))
    best = np.argsort(-found.posteriors, axis=1, kind="stable")[:, :top]
    columns = [f"{what}_{rank}" for rank in range(1, top + 1) for what in ("class", "probability")]
    rows: list[list[object]] = []
    for image, label, classes, row in zip(found.images, found.labels, best, found.posteriors, strict=True):
        probable = [each for number in classes for each in (names[number], f"{row[number]:.6g}")]
        rows.append([image, names[label], names[classes[0]], str(bool(classes[0] == label)).lower(), *probable])
    return ["path", "label", "prediction", "correct", *columns], rows


def evaluation_text(evaluation: Evaluation) -> str:
    """One evaluation for a terminal: error rates, loss, and for each class its error and most frequent confusion."""
    top5 = "" if evaluation.top5_error is None else f", top-5 error {evaluation.top5_error}"
    speed = evaluation.images_per_second
    rows = []
    for number, each in enumerate(evaluation.classes):
        rate, _, interval = str(each.error).partition(" (")
        wrong = evaluation.confusion[number].copy()
        wrong[number] = 0
        confused = evaluation.class_names[wrong.argmax()] if wrong.any() else ""
        rows.append([each.name, rate, interval.rstrip(")"), f"{each.correct} of {each.images}", confused])
    headings = ["class", "top-1 error", "95 % interval", "correct", "most often confused with"]
    lines = [
        f"{evaluation.model} on {evaluation.data}: {evaluation.images:,} images, {evaluation.protocol}, "
        f"{evaluation.passes:,} forward pass{'es' if evaluation.passes > 1 else ''} for an image",
        f"top-1 error {evaluation.top1_error}{top5}; 95 % confidence intervals in parentheses",
        f"accuracy {100 * evaluation.top1:.2f} %, cross-entropy {evaluation.loss:.4f} nats"
        + ("" if speed is None else f", {throughput(speed)} images/s"),
        "",
        *Table(headings, rows, headings[1:4]).lines(),
    ]
    return "\n".join(lines)


def draw_confusion(path: Path, evaluation: Evaluation) -> None:
    """Plot the confusion matrix as a PNG: rows are true classes, shades are shares of the row, numbers are counts."""
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
