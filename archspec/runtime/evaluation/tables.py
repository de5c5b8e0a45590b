"""Several evaluations as one table, like Tables 3 to 7 of Simonyan & Zisserman 2014."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from archspec.format import Table, csv_text, rule, throughput
from archspec.runtime.evaluation.metrics import ErrorRate
from archspec.runtime.evaluation.result import Evaluation, joined

NOTE = (
    "Q: smallest side of the rescaled image, pixels. passes: forward passes for an image. "
    "In parentheses: 95 % confidence intervals (Wilson). loss: cross-entropy, nats."
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


def _table(evaluations: Sequence[Evaluation]) -> Table:
    rows = [[column.text(each) for column in COLUMNS] for each in evaluations]
    return Table([each.heading for each in COLUMNS], rows, [each.heading for each in COLUMNS if each.is_number])


def text_table(evaluations: Sequence[Evaluation]) -> str:
    """For a terminal: a title, aligned columns, and a note that explains them."""
    first = evaluations[0]
    title = f"{first.data}: {first.images:,} images of {len(first.class_names):,} classes"
    headings, *rows = _table(evaluations).lines()
    return "\n".join([title, "", headings, rule([headings, *rows]), *rows, "", NOTE])


def markdown_table(evaluations: Sequence[Evaluation]) -> str:
    """A table of Markdown."""
    return "\n".join(_table(evaluations).markdown())


def csv_table(evaluations: Sequence[Evaluation]) -> str:
    """CSV with every figure in a separate column; rates are shares from 0 to 1, at full precision."""
    rows = [[value for column in COLUMNS for value in column.values(each)] for each in evaluations]
    return csv_text([name for column in COLUMNS for name in column.names], rows)
