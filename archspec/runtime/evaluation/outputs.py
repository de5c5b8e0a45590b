"""What `archspec evaluate` writes: texts and tables, the folder of reports, and saved predictions.

The tables are like Tables 3 to 7 of Simonyan & Zisserman 2014.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import counted, fail
from archspec.format import Table, csv_text, rule, throughput
from archspec.runtime.data.images import Report
from archspec.runtime.evaluation.confusion_plot import confusion_png
from archspec.runtime.evaluation.metric import Metric
from archspec.runtime.evaluation.mistake_pictures import Sheets
from archspec.runtime.evaluation.predictions import Predictions, numbered, write_predictions
from archspec.runtime.evaluation.result import ErrorRate, Evaluation, joined
from archspec.runtime.explain.picture import save_png
from archspec.runtime.system.atomic_write import (
    atomic,
    check_output_folder,
    check_writable,
    make_folder,
    write_json,
    write_text,
)
from archspec.runtime.system.output_set import interrupted_outputs, output_set

NOTE = (
    "Q: smallest side of the rescaled image, pixels. passes: forward passes for an image. "
    "In parentheses: 95 % confidence intervals (Wilson). loss: cross-entropy, nats."
)


OTHER_NOTE = (
    "Q: smallest side of the rescaled image, pixels. passes: forward passes for an image. In parentheses: 95 % "
    "confidence intervals (of rates: Wilson; of other figures: bootstrap over images)."
)


class Column(NamedTuple):
    """A column of the tables for people, and the columns of CSV with the same values at full precision."""

    heading: str
    text: Callable[[Evaluation], str]
    names: tuple[str, ...]
    values: Callable[[Evaluation], tuple[object, ...]]
    is_number: bool = True


def _rate_values(rate: ErrorRate | None) -> tuple[object, ...]:
    return ("", "", "") if rate is None else (rate.rate, *rate.interval)


def _rate_text(rate: ErrorRate | None) -> str:
    return "" if rate is None else str(rate).replace(" %", "")


def _short(model: str) -> str:
    """The run directory instead of its best model."""
    return str(Path(model).parent) if Path(model).name == "best.keras" else model


COLUMNS = (
    Column(
        "model",
        lambda each: joined(tuple(map(_short, each.predictions.models))),
        ("model",),
        lambda each: (each.model,),
        is_number=False,
    ),
    Column("protocol", lambda each: each.protocol, ("protocol",), lambda each: (each.protocol,), is_number=False),
    Column("Q", lambda each: each.scales, ("scales",), lambda each: (each.scales,), is_number=False),
    Column("passes", lambda each: f"{each.passes:,}", ("passes", "images"), lambda each: (each.passes, each.images)),
    Column(
        "top-1 error (%)",
        lambda each: _rate_text(each.top1_error),
        ("top1_error", "top1_low", "top1_high"),
        lambda each: _rate_values(each.top1_error),
    ),
    Column(
        "top-5 error (%)",
        lambda each: _rate_text(each.top5_error),
        ("top5_error", "top5_low", "top5_high"),
        lambda each: _rate_values(each.top5_error),
    ),
    Column("loss", lambda each: f"{each.loss:.4f}", ("loss",), lambda each: (each.loss,)),
    Column(
        "images/s",
        lambda each: "" if each.images_per_second is None else throughput(each.images_per_second),
        ("images_per_second",),
        lambda each: (each.images_per_second,),
    ),
)


def _columns(evaluations: Sequence[Evaluation]) -> tuple[Column, ...]:
    """The columns of a table: error rates of classes, or the metrics of all kinds of targets."""
    if all(each.kind == "classes" for each in evaluations) and not any(each.output for each in evaluations):
        return COLUMNS
    first, last = COLUMNS[:4], COLUMNS[-1]
    output = Column("output", lambda each: each.output, ("output",), lambda each: (each.output,), is_number=False)
    headings = dict.fromkeys((metric.name, metric.heading) for each in evaluations for metric in each.metrics)
    named = [output] if any(each.output for each in evaluations) else []
    return (*first[:1], *named, *first[1:], *(_metric_column(name, heading) for name, heading in headings), last)


def _metric_column(name: str, heading: str) -> Column:
    def find(each: Evaluation) -> Metric | None:
        return next((metric for metric in each.metrics if metric.name == name), None)

    def values(each: Evaluation) -> tuple[object, ...]:
        metric = find(each)
        if metric is None or metric.value is None:
            return ("", "", "")
        return (metric.value, *(metric.interval or ("", "")))

    return Column(heading, lambda each: str(find(each) or ""), (name, f"{name}_low", f"{name}_high"), values)


def _table(evaluations: Sequence[Evaluation]) -> Table:
    columns = _columns(evaluations)
    rows = [[column.text(each) for column in columns] for each in evaluations]
    headings = [each.heading for each in columns]
    kept = ("model", "output", "protocol", "top-1 error (%)", *(each.metrics[0].heading for each in evaluations))
    optional = [heading for heading in reversed(headings) if heading not in kept]
    return Table(headings, rows, [each.heading for each in columns if each.is_number], optional)


def text_table(evaluations: Sequence[Evaluation]) -> str:
    """For a terminal: a title, aligned columns, and a note that explains them."""
    first = evaluations[0]
    title = f"{first.data}: {counted(first.images, 'image')}"
    note = table_note(evaluations)
    if note is NOTE:
        title = f"{title} of {counted(len(first.class_names), 'class')}"
    headings, *rows = _table(evaluations).lines()
    return "\n".join([title, "", headings, rule([headings, *rows]), *rows, "", note])


def evaluation_table(evaluations: Sequence[Evaluation]) -> tuple[list[str], list[list[str]], list[str]]:
    """The headings, the cells, and the headings of the columns of numbers."""
    columns = _columns(evaluations)[1:]  # without the model
    cells = [[column.text(each) for column in columns] for each in evaluations]
    return [each.heading for each in columns], cells, [each.heading for each in columns if each.is_number]


def table_note(evaluations: Sequence[Evaluation]) -> str:
    """The note that explains the columns."""
    if _columns(evaluations) is COLUMNS:
        return NOTE
    note = f"{OTHER_NOTE} loss: {_losses(evaluations)}."
    numbers = any(each.kind == "numbers" and each.predictions.labels.shape[1] > 1 for each in evaluations)
    return f"{note} Figures and losses of several numbers are means over them." if numbers else note


def _losses(evaluations: Sequence[Evaluation]) -> str:
    """`cross-entropy, nats (color); mean squared error (size)`, without the outputs if all have the same loss."""
    outputs: dict[str, dict[str, None]] = {}
    for each in evaluations:
        name = each.loss_name if each.kind == "numbers" else f"{each.loss_name}, nats"
        outputs.setdefault(name, {})[each.output] = None
    if len(outputs) == 1:
        return next(iter(outputs))
    return "; ".join(f"{name} ({', '.join(filter(None, of))})" for name, of in outputs.items())


def markdown_table(evaluations: Sequence[Evaluation]) -> str:
    """A table of Markdown."""
    return "\n".join(_table(evaluations).markdown())


def csv_table(evaluations: Sequence[Evaluation]) -> str:
    """CSV with every figure in a separate column; rates are shares from 0 to 1, at full precision."""
    columns = _columns(evaluations)
    rows = [[value for column in columns for value in column.values(each)] for each in evaluations]
    return csv_text([name for column in columns for name in column.names], rows)


def write_evaluation(evaluation: Evaluation, directory: Path, sheets: Sheets | None = None) -> None:
    """Write the files into a folder, and its contact sheets if there are any. Raises ArchspecError: `cannot-write`."""
    make_folder(directory)
    write_json(directory / "evaluation.json", evaluation.to_json())
    write_text(directory / "classes.csv", csv_text(*evaluation.class_table()) + "\n")
    write_text(directory / "images.csv", csv_text(*evaluation.image_table()) + "\n")
    if evaluation.has_confusion:
        names = evaluation.class_names
        confusion = [[name, *counts] for name, counts in zip(names, evaluation.confusion.tolist(), strict=True)]
        write_text(directory / "confusion.csv", csv_text(["true / predicted", *names], confusion) + "\n")
        with atomic(directory / "confusion.png") as temporary:
            temporary.write_bytes(confusion_png(evaluation))
    for name, picture in (sheets or {}).items():
        with atomic(directory / name) as temporary:
            save_png(picture, temporary)


def write_evaluations(evaluations: Sequence[Evaluation], directory: Path, sheets: Sequence[Sheets] = ()) -> None:
    """Write table.md, table.csv, and for each evaluation a folder with its files, numbered and named by its protocol.

    Raises:
        ArchspecError: `cannot-write`.
    """
    for number, each in enumerate(evaluations, 1):
        words = f"{number}-{each.protocol}" if each.members == 1 else f"{number}-ensemble"
        words = f"{words}-{each.output}" if each.output else words
        folder = directory / re.sub(r"[^A-Za-z0-9+-]+", "-", words).strip("-")[:60]
        write_evaluation(each, folder, sheets[number - 1] if sheets else None)
    write_text(directory / "table.md", markdown_table(evaluations) + "\n")
    write_text(directory / "table.csv", csv_table(evaluations) + "\n")


MOST_LISTED = 100
"""Classes that are listed on the terminal; of more, those with the largest errors."""


def evaluation_text(evaluation: Evaluation) -> str:
    """One evaluation for a terminal: error rates, loss, and for each class its error and most frequent confusion."""
    speed = evaluation.images_per_second
    *lines, last = evaluation.lines()
    unit = "" if evaluation.kind == "numbers" else " nats"
    last = f"{last}, {evaluation.loss_name} {evaluation.loss:.4f}{unit}"
    title = [
        f"{evaluation.model} on {evaluation.data}: {counted(evaluation.images, 'image')}, {evaluation.protocol}, "
        f"{evaluation.passes:,} forward pass{'es' if evaluation.passes > 1 else ''} for an image",
        *lines,
        last if speed is None else f"{last}, {throughput(speed)} images/s",
        "",
    ]
    if not evaluation.has_confusion:
        headings, cells = evaluation.class_table()
        shown = [[_cell(value) for value in row] for row in cells[:MOST_LISTED]]
        headings = [heading.replace("_", " ") for heading in headings]
        return "\n".join([*title, *Table(headings, shown, headings[1:]).lines()])
    rows, confusion, classes = [], evaluation.confusion, evaluation.classes
    numbers = sorted(range(len(classes)), key=lambda number: -(classes[number].error.rate or 0))[:MOST_LISTED]
    all_ = len(numbers) == len(classes)
    for number in range(len(classes)) if all_ else numbers:
        each = classes[number]
        rate, _, interval = str(each.error).partition(" (")
        wrong = confusion[number].copy()
        wrong[number] = 0
        confused = evaluation.class_names[wrong.argmax()] if wrong.any() else ""
        rows.append([each.name, rate, interval.rstrip(")"), f"{each.correct} of {each.images}", confused])
    headings = ["class", "top-1 error", "95 % interval", "correct", "most often confused with"]
    lines = [*title, *Table(headings, rows, headings[1:4], (headings[4], headings[2])).lines()]
    if not all_:
        lines.append(
            f"... the {counted(len(rows), 'class')} with the largest errors, of {len(classes):,}; `-o DIR` writes all"
        )
    return "\n".join(lines)


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


REPORTS = "**/evaluation.json"
"""A file that every folder of reports has."""


@dataclass(frozen=True)
class EvaluationOutputs:
    """Where the reports and the predictions of an evaluation are written; None for nothing.

    All of them get their names together: when the process is killed, the same command can be given again.
    """

    directory: Path | None = None
    """A new or empty folder."""
    predictions: Path | None = None
    """An `.npz`; several are NAME-1.npz, NAME-2.npz, ..."""
    overwrite: bool = False
    """Replace what an earlier evaluation wrote."""

    def check(self) -> None:
        """Check before the evaluation that the outputs can be written. Changes nothing.

        Raises:
            ArchspecError: `bad-output` for a name that does not end in .npz, `output-exists`, `cannot-write`.
        """
        if self.predictions is not None:
            if self.predictions.suffix != ".npz":
                fact = f"the name `{self.predictions}` does not end in `.npz`"
                raise fail("bad-output", fact, help=f"write `{self.predictions.with_suffix('.npz')}`")
            names = [self.predictions, *numbered(self.predictions, 2)[:1]]
            taken = [name for name in names if name.exists() and not self._replaces(name)]
            if taken:
                raise fail("output-exists", f"`{taken[0]}` exists", help="give another name, or `--overwrite`")
            check_writable(self.predictions)
        if self.directory is not None:
            check_output_folder(self.directory, overwrite=self._replaces(self.directory), mark=REPORTS)

    def write(
        self,
        evaluations: Sequence[Evaluation],
        saved: Sequence[Predictions],
        report: Report,
        sheets: Sequence[Sheets] = (),
    ) -> None:
        """Write the reports of the evaluations with the contact sheets of each, and the predictions `saved`.

        Raises:
            ArchspecError: `cannot-write`.
        """
        files = numbered(self.predictions, len(saved)) if self.predictions is not None else []
        folders = [] if self.directory is None else [self.directory]
        if not files and not folders:
            return
        with output_set([*files, *folders]) as temporaries:
            for path, row in zip(temporaries[: len(files)], saved, strict=False):
                write_predictions(path, row)
            for path in temporaries[len(files) :]:
                if len(evaluations) == 1:
                    write_evaluation(evaluations[0], path, sheets[0] if sheets else None)
                else:
                    write_evaluations(evaluations, path, sheets)
        for file, row in zip(files, saved, strict=False):
            report(f"wrote {file}: {' + '.join(row.models)}, {' + '.join(row.protocols)}")

    def _replaces(self, path: Path) -> bool:
        """Whether an existing output may be replaced."""
        if self.overwrite or self.predictions is None:
            return self.overwrite
        folders = [] if self.directory is None else [self.directory]
        tries = ([self.predictions, *folders], [*numbered(self.predictions, 2), *folders])
        return any(path in interrupted_outputs(each) for each in tries)


NO_OUTPUTS = EvaluationOutputs()
