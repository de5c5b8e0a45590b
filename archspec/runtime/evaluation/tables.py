"""Several evaluations as one table, in the form of Tables 3 to 7 of Simonyan & Zisserman 2014."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from archspec.format import Table, csv_text, rule, throughput
from archspec.runtime.evaluation.evaluate import Evaluation

HEADINGS = ("model", "protocol", "Q", "passes", "top-1 error (%)", "top-5 error (%)", "loss", "images/s")
NUMBERS = HEADINGS[3:]
"""Columns that are set to the right."""
NOTE = (
    "Q: smallest side of the rescaled image, pixels. passes: forward passes an image. "
    "In parentheses: 95 % intervals of Wilson. loss: cross-entropy, nats."
)


def table_rows(evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """A row for each evaluation, under HEADINGS."""
    rows: list[tuple[str, ...]] = []
    for each in evaluations:
        speed = each.images_per_second
        rows.append(
            (
                " + ".join(dict.fromkeys(map(_short, each.predictions.models))),
                each.protocol,
                each.scales,
                f"{each.passes:,}",
                str(each.top1_error).replace(" %", ""),
                "" if each.top5_error is None else str(each.top5_error).replace(" %", ""),
                f"{each.loss:.4f}",
                "" if speed is None else throughput(speed),
            )
        )
    return rows


def _short(model: str) -> str:
    """The directory of a run for its best model."""
    return str(Path(model).parent) if Path(model).name == "best.keras" else model


def _table(evaluations: Sequence[Evaluation]) -> Table:
    return Table(HEADINGS, table_rows(evaluations), NUMBERS)


def text_table(evaluations: Sequence[Evaluation]) -> str:
    """For a terminal: columns of their widest entry, and what they mean."""
    first = evaluations[0]
    title = f"{first.data}: {first.images:,} images of {len(first.class_names):,} classes"
    headings, *rows = _table(evaluations).lines()
    return "\n".join([title, "", headings, rule([headings, *rows]), *rows, "", NOTE])


def markdown_table(evaluations: Sequence[Evaluation]) -> str:
    """A table of Markdown."""
    return "\n".join(_table(evaluations).markdown())


def csv_table(evaluations: Sequence[Evaluation]) -> str:
    """CSV with every figure in a column of its own; shares from 0 to 1, at full precision."""
    columns = ["model", "protocol", "scales", "passes", "images"]
    columns += [f"{rate}_{what}" for rate in ("top1", "top5") for what in ("error", "low", "high")]
    lines = []
    for each in evaluations:
        rates: list[float | str | None] = []
        for rate in (each.top1_error, each.top5_error):
            rates += ["", "", ""] if rate is None else [rate.rate, *rate.interval]
        start = [each.model, each.protocol, each.scales, each.passes, each.images]
        lines.append([*start, *rates, each.loss, each.images_per_second])
    return csv_text([*columns, "loss", "images_per_second"], lines)
