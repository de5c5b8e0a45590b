"""Learning curves of several runs over one another: the mean over seeds, and a band of one standard deviation."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.comparison.runs import RunGroup, RunRecord, grouped
from archspec.drawings import svg
from archspec.drawings.chart import CHART_STYLE, HUES, SIZE, Chart, ChartAxis, axis_of
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import shortened

LOSSES = (("loss", "training loss", 1.0), ("val_loss", "validation loss", 1.0))
"""(column of history.csv, title, factor)."""
WIDTH, HEIGHT, GAP, LOW = 330.0, 250.0, 90.0, 66.0
"""Of a panel, and the space beside and below it, in pixels."""
ROW = 3
"""Panels in a row."""
STYLE = f"{CHART_STYLE}.band{{stroke:none;fill-opacity:.18}}.mean{{fill:none;stroke-width:1.8}}"


def learning_curves(runs: Sequence[RunRecord]) -> Drawing | None:
    """A panel for each metric; None if no run has finished an epoch."""
    groups = [group for group in grouped(runs) if any(run.history for run in group.runs)]
    if not groups:
        return None
    parts = [svg.text(20, 28, "Learning curves", SIZE + 3, font_weight="bold")]
    panels = _panels(runs)
    for place, (metric, title, factor) in enumerate(panels):
        bands = [group.band(metric) for group in groups]
        values = [factor * each for band in bands for _, _, low, high in band for each in (low, high)]
        if not values:
            continue
        epochs = [epoch for band in bands for epoch, _, _, _ in band]
        x = ChartAxis("epoch", min(epochs), max(max(epochs), min(epochs) + 1))
        y = axis_of(title, values)
        left, top = 60 + (WIDTH + GAP) * (place % ROW), 64 + (HEIGHT + LOW) * (place // ROW)
        chart = Chart(left, top, WIDTH, HEIGHT, x, y)
        parts += chart.frame()
        for number, band in enumerate(bands):
            parts += _curve(chart, band, factor, HUES[number % len(HUES)])
    y_legend = 64 + (HEIGHT + LOW) * -(-len(panels) // ROW)
    for number, group in enumerate(groups):
        line = y_legend + 18 * number
        parts.append(svg.rect(60, line - 8, 22, 4, fill=HUES[number % len(HUES)]))
        parts.append(svg.text(92, line, shortened(group.label, SIZE, 1000), SIZE))
    note = "" if not _has_seeds(groups) else "bands: one standard deviation over the seeds on either side of the mean"
    low = y_legend + 18 * len(groups) + 4
    parts.append(svg.text(60, low, note, SIZE, class_="faint"))
    return Drawing("Learning curves", "".join(parts), 60 + (WIDTH + GAP) * min(len(panels), ROW), low + 24, STYLE)


def _panels(runs: Sequence[RunRecord]) -> list[tuple[str, str, float]]:
    """(column of history.csv, title, factor): the main metrics of the runs, then the losses."""
    found = []
    for score in dict.fromkeys(score for run in runs for score in run.scores):
        name = score.removeprefix("val_")
        percent = name.endswith("top1")
        name = f"{name[:-4].replace('_', ' ')}top-1, %" if percent else name.replace("_", " ")
        found.append((score, f"validation {name}", 100.0 if percent else 1.0))
    return [*found, *LOSSES]


def _has_seeds(groups: Sequence[RunGroup]) -> bool:
    return any(len(group.runs) > 1 for group in groups)


def _curve(chart: Chart, band: Sequence[tuple[float, float, float, float]], factor: float, hue: str) -> list[str]:
    if not band:
        return []
    parts = []
    if any(low < high for _, _, low, high in band):
        upper = [chart.at(epoch, factor * high) for epoch, _, _, high in band]
        lower = [chart.at(epoch, factor * low) for epoch, _, low, _ in band]
        parts.append(svg.element("path", d=f"{svg.path_data([*upper, *reversed(lower)], 0)}Z", class_="band", fill=hue))
    points = [chart.at(epoch, factor * middle) for epoch, middle, _, _ in band]
    parts.append(svg.line(points, 0, class_="mean", stroke=hue))
    x, y = points[-1]
    return [*parts, svg.element("circle", cx=x, cy=y, r=2.5, fill=hue)]
