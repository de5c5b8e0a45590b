"""The tables of a comparison as text, Markdown, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archspec.comparison.facts import ErrorFigure, NetworkFacts
from archspec.comparison.runs import RunRecord, flat, recipe_differences, shown
from archspec.format import Table, byte_size, count, csv_text, duration, throughput

HEADINGS = ("network", "params", "MACs", "depth", "memory", "top-1 error", "top-5 error", "origin", "protocol", "data")
NUMBERS = ("params", "MACs", "depth", "memory", "top-1 error", "top-5 error")
OPTIONAL = ("memory", "data", "depth", "protocol", "top-5 error")
NOTE = (
    "errors in percent; measured: by archspec; published: by others, sources below and in the JSON; "
    "MACs and memory of one image; depth: weight layers"
)
CSV = (
    *("network", "reference", "params", "macs", "depth", "activation_bytes", "top1_error", "top5_error", "origin"),
    *("ensemble", "protocol", "data", "year", "source"),
)
RUN_HEADINGS = (
    *("run", "network", "seed", "epochs", "best epoch", "best top-1", "final top-1", "final loss", "time", "images/s"),
)
RUN_CSV = (
    *("run", "network", "data", "seed", "epochs", "best_epoch", "best_val_top1", "final_val_top1", "final_val_loss"),
    *("seconds", "images_per_second", "metrics", "best", "final"),
)
"""`metrics`, `best` and `final`: the main metric of each output, with `;` between them."""


def network_table(networks: Sequence[NetworkFacts]) -> Table:
    """A row for each error rate of each network, or one for a network without any."""
    rows = []
    for network in networks:
        start = [
            network.name,
            count(network.params),
            count(network.macs),
            str(network.depth),
            byte_size(network.activation_bytes),
        ]
        for figure in network.figures or [None]:
            rows.append([*start, *_figure_cells(figure)])
    return Table(HEADINGS, rows, NUMBERS, OPTIONAL)


def _figure_cells(figure: ErrorFigure | None) -> list[str]:
    if figure is None:
        return [""] * 5
    origin = ("measured" if figure.measured else "published") + (", ensemble" if figure.ensemble else "")
    return [_percent(figure.top1_error), _percent(figure.top5_error), origin, figure.protocol, figure.data]


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.2f}"


def speed_table(networks: Sequence[NetworkFacts]) -> Table:
    """Images per second of each network and batch size."""
    rows = [
        [
            network.name,
            str(each.batch_size),
            throughput(each.images_per_second),
            throughput(each.bound),
            f"{100 * each.images_per_second / each.bound:.0f} %",
        ]
        for network in networks
        for each in network.speeds
    ]
    return Table(
        ("network", "batch", "images/s", "roofline", "share"), rows, ("batch", "images/s", "roofline", "share")
    )


def run_table(runs: Sequence[RunRecord]) -> Table:
    """A row for each run."""
    other = any(run.scores != ("val_top1",) for run in runs)  # than one class for each image
    headings = [*RUN_HEADINGS[:5], "best metrics", "final metrics", *RUN_HEADINGS[7:]] if other else RUN_HEADINGS
    rows = [_run_cells(run, named=other) for run in runs]
    return Table(headings, rows, headings[2:], ("final loss", "images/s", "seed"))


def _scores(run: RunRecord, row: Mapping[str, float] | None, *, named: bool) -> str:
    """The main metrics of an epoch, by their names in history.csv."""
    found = []
    for score in run.scores:
        if row is not None and score in row:
            text = f"{100 * row[score]:.2f} %" if score.endswith("top1") else f"{row[score]:.4f}"
            found.append(f"{score.removeprefix('val_')} {text}" if named else text)
    return ", ".join(found)


def _run_cells(run: RunRecord, *, named: bool) -> list[str]:
    last, best = run.history[-1] if run.history else {}, run.best
    return [
        str(run.directory),
        run.name,
        "" if run.seed is None else str(run.seed),
        str(len(run.history)),
        f"{best['epoch']:g}" if best else "",
        _scores(run, best, named=named),
        _scores(run, last, named=named),
        f"{last['val_loss']:.4f}" if "val_loss" in last else "",
        "unfinished" if run.seconds is None else duration(run.seconds),
        "" if run.images_per_second is None else throughput(run.images_per_second),
    ]


def recipe_table(runs: Sequence[RunRecord]) -> Table | None:
    """The keys of the recipes in which the runs differ; None if there are none."""
    keys = recipe_differences(runs)
    if not keys:
        return None
    recipes = [flat(run.recipe) for run in runs]
    rows = [[key, *(shown(recipe.get(key)) for recipe in recipes)] for key in keys]
    return Table(("recipe", *(str(run.directory) for run in runs)), rows)


def sources(networks: Sequence[NetworkFacts]) -> list[str]:
    """Where the error rates come from, one line for each source."""
    found: dict[str, list[str]] = {}
    for network in networks:
        for figure in network.figures:
            names = found.setdefault(figure.source, [])
            if network.name not in names:
                names.append(network.name)
    return [f"{source}: {', '.join(names)}" for source, names in found.items()]


Parts = list[tuple[str, Table, list[str]]]


def parts(networks: Sequence[NetworkFacts], runs: Sequence[RunRecord]) -> Parts:
    """(title, table, notes) of every table that has rows."""
    found: Parts = []
    if networks:
        found.append(("Networks", network_table(networks), [NOTE, *sources(networks)]))
    if any(network.speeds for network in networks):
        device = next(each.device for network in networks for each in network.speeds)
        found.append(
            (
                "Inference",
                speed_table(networks),
                [f"roofline: most images/s on {device}, forward pass, float32; other processes lower both figures"],
            )
        )
    if runs:
        found.append(
            ("Runs", run_table(runs), ["best and final: validation; images/s: median of the epochs, in training"])
        )
        recipes = recipe_table(runs)
        if recipes:
            found.append(("Differences of the recipes", recipes, []))
    return found


def as_text(networks: Sequence[NetworkFacts], runs: Sequence[RunRecord]) -> str:
    """Aligned tables for the terminal."""
    lines: list[str] = []
    for title, table, notes in parts(networks, runs):
        lines += [title, "", *table.lines(), *([""] if notes else []), *notes, ""]
    return "\n".join(lines[:-1])


def as_markdown(networks: Sequence[NetworkFacts], runs: Sequence[RunRecord]) -> str:
    """Tables for a README."""
    lines: list[str] = []
    for title, table, notes in parts(networks, runs):
        lines += [f"## {title}", "", *table.markdown(), "", *(f"- {note}" for note in notes), *([""] if notes else [])]
    return "\n".join(lines[:-1])


def as_csv(networks: Sequence[NetworkFacts], runs: Sequence[RunRecord]) -> str:
    """Plain numbers: a row for each error rate of each network; for runs alone a row for each run."""
    if not networks:
        return runs_csv(runs)
    rows: list[list[object]] = []
    for network in networks:
        start = [network.name, network.reference, network.params, network.macs, network.depth, network.activation_bytes]
        for figure in network.figures or [None]:
            rows.append([*start, *_csv_cells(figure)])
    return csv_text(CSV, rows)


def _csv_cells(figure: ErrorFigure | None) -> list[object]:
    if figure is None:
        return [""] * 8
    origin = "measured" if figure.measured else "published"
    rates = [figure.top1_error, figure.top5_error]
    return [*rates, origin, figure.ensemble, figure.protocol, figure.data, figure.year, figure.source]


def runs_csv(runs: Sequence[RunRecord]) -> str:
    """A row for each run."""
    rows = []
    for run in runs:
        last, best = run.history[-1] if run.history else {}, run.best or {}
        rows.append(
            [
                str(run.directory),
                run.name,
                run.data,
                run.seed,
                len(run.history),
                best.get("epoch"),
                best.get("val_top1"),
                last.get("val_top1"),
                last.get("val_loss"),
                run.seconds,
                run.images_per_second,
                ";".join(score.removeprefix("val_") for score in run.scores),
                *(";".join(str(row.get(score, "")) for score in run.scores) for row in (best, last)),
            ]
        )
    return csv_text(RUN_CSV, rows)


def as_json(networks: Sequence[NetworkFacts], runs: Sequence[RunRecord]) -> str:
    """Everything, nested."""
    return json.dumps(
        {"networks": [network.to_json() for network in networks], "runs": [_run_json(run) for run in runs]}, indent=1
    )


def _run_json(run: RunRecord) -> dict[str, Any]:
    return {
        "run": str(run.directory),
        "network": run.name,
        "data": run.data,
        "seed": run.seed,
        "best": run.best and dict(run.best),
        "final": dict(run.history[-1]) if run.history else None,
        "seconds": run.seconds,
        "images_per_second": run.images_per_second,
        "recipe": dict(run.recipe),
    }


FORMATS: dict[str, Callable[[Sequence[NetworkFacts], Sequence[RunRecord]], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
}
