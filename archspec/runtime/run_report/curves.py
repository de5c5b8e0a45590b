"""The learning curves of one run as SVG, a panel for each metric, with the values for the scripts of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.drawings import svg
from archspec.drawings.chart import HUES, Chart, ChartAxis, axis_of
from archspec.drawings.font import FAMILY
from archspec.runtime.training.records.progress import metric_name

WIDTH, HEIGHT = 400.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 14.0, 30.0, 44.0
"""Margins of a panel, in pixels."""
SPREAD = 20
"""Of positive losses: with a larger ratio of the largest to the smallest, the axis is logarithmic."""


@dataclass(frozen=True)
class Curve:
    """A line of a panel."""

    name: str
    column: str
    """Of history.csv."""
    hue: str


@dataclass(frozen=True)
class EpochAxis(ChartAxis):
    """An axis with ticks at whole numbers only."""

    def ticks(self) -> list[float]:
        """The round values among them."""
        return [float(round(tick)) for tick in super().ticks() if abs(tick - round(tick)) < 1e-6]


@dataclass(frozen=True)
class CurvePanel:
    """A metric by epoch."""

    title: str
    curves: tuple[Curve, ...]
    factor: float = 1.0
    """From history.csv to the axis."""
    unit: str = ""

    def values(self, history: Sequence[Mapping[str, float]]) -> list[list[float | None]]:
        """For each curve the value of each epoch, None where it is not finite."""
        found = []
        for curve in self.curves:
            values = [self.factor * row[curve.column] if curve.column in row else math.nan for row in history]
            found.append([value if math.isfinite(value) else None for value in values])
        return found


def panels(loss: Mapping[str, str]) -> tuple[CurvePanel, ...]:
    """The panels of a run; `loss` is what `loss_labels` returns."""
    training, validation = HUES[1], HUES[0]
    differs = loss.get("differs")
    name, unit = loss.get("loss", "loss"), loss.get("unit", "")
    return (
        CurvePanel(
            f"{name}, {unit}" if unit else name,
            (
                Curve(f"training, with {differs}" if differs else "training", "loss", training),
                Curve("validation", "val_loss", validation),
            ),
            unit=unit,
        ),
        CurvePanel(
            "top-1 accuracy, %",
            (Curve("training", "top1", training), Curve("validation", "val_top1", validation)),
            100.0,
            "%",
        ),
        CurvePanel("top-5 accuracy, %", (Curve("validation", "val_top5", validation),), 100.0, "%"),
        CurvePanel("learning rate", (Curve("learning rate", "learning_rate", HUES[2]),)),
    )


def other_panels(history: Sequence[Mapping[str, float]]) -> list[CurvePanel]:
    """A panel for each validation metric that a network with other targets than one class has: AUC, mAP, R2, ..."""
    known = {curve.column for panel in panels({}) for curve in panel.curves}
    names = dict.fromkeys(name.removeprefix("val_") for row in history for name in row if name.startswith("val_"))
    return [
        CurvePanel(
            metric_name(name),
            (
                *((Curve("training", name, HUES[1]),) if any(name in row for row in history) else ()),
                Curve("validation", f"val_{name}", HUES[0]),
            ),
        )
        for name in names
        if f"val_{name}" not in known
    ]


def curve_panels(
    history: Sequence[Mapping[str, float]], loss: Mapping[str, str], best: float | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """The SVG of each panel with values, and what the scripts need to read it.

    Args:
        best: the epoch of best.keras, by run.json; by default that with the highest validation top-1.
    """
    if not history:
        return []
    if best is None:
        row = max(
            (row for row in history if math.isfinite(row.get("val_top1", math.nan))),
            key=lambda row: (row["val_top1"], -row.get("val_loss", 0.0)),
            default=None,
        )
        best = row["epoch"] if row else None
    found = []
    first, *middle, last = panels(loss)
    for panel in (first, *middle, *other_panels(history), last):
        values = panel.values(history)
        flat = [value for line in values for value in line if value is not None]
        if flat:
            found.append(_panel(panel, history, values, flat, best))
    return found


def _panel(
    panel: CurvePanel,
    history: Sequence[Mapping[str, float]],
    values: list[list[float | None]],
    flat: list[float],
    best: float | None,
) -> tuple[str, dict[str, Any]]:
    epochs = [row["epoch"] for row in history]
    log = panel.curves[0].column == "loss" and min(flat) > 0 and max(flat) > SPREAD * min(flat)
    positive = panel.factor == 1 and min(flat) >= 0
    axis = axis_of(f"{panel.title}{', logarithmic' if log else ''}", flat, log=log, zero=positive)
    if panel.factor != 1:
        axis = ChartAxis(axis.title, max(axis.low, 0.0), min(axis.high, 100.0))
    first, last = min(epochs), max(epochs)
    x = EpochAxis("epoch", first, last) if first < last else EpochAxis("epoch", first - 0.5, last + 0.5)
    chart = Chart(LEFT, TOP, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, x, axis)
    parts = [*chart.frame()]
    for curve, line in zip(panel.curves, values, strict=True):
        parts += _line(chart, epochs, line, curve.hue)
        if curve.column.startswith("val_") and best is not None:
            at = dict(zip(epochs, line, strict=True)).get(best)
            if at is not None:
                center = chart.at(best, at)
                parts.append(svg.element("circle", cx=center[0], cy=center[1], r=4, fill=curve.hue, class_="best"))
    parts.append(svg.line([(0, TOP), (0, HEIGHT - BOTTOM)], 0, class_="cursor"))
    picture = svg.element(
        "svg",
        "".join(parts),
        viewBox=f"0 0 {svg.number(WIDTH)} {svg.number(HEIGHT)}",
        class_="chart",
        role="img",
        aria_label=f"{panel.title} by epoch",
        font_family=FAMILY,
    )
    keys = [{"name": curve.name, "hue": curve.hue} for curve in panel.curves]
    places = [round(chart.at(epoch, axis.low)[0], 1) for epoch in epochs]
    return picture, {"epochs": epochs, "keys": keys, "values": values, "unit": panel.unit, "places": places}


def _line(chart: Chart, epochs: Sequence[float], values: Sequence[float | None], hue: str) -> list[str]:
    """The line through the values; it is broken where one is missing. A value alone is a dot."""
    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for epoch, value in [*zip(epochs, values, strict=True), (0.0, None)]:
        if value is not None:
            run.append(chart.at(epoch, value))
        elif run:
            if len(run) > 1:
                parts.append(svg.line(run, 0, class_="mean", stroke=hue))
            else:
                parts.append(svg.element("circle", cx=run[0][0], cy=run[0][1], r=2.5, fill=hue))
            run = []
    return parts
