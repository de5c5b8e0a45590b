"""Run directories and evaluations as files: histories, times, recipes and error rates, without TensorFlow."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from archspec.comparison.facts import ErrorFigure
from archspec.diagnostics import fail

OPTIONS = ("validation_split", "skip_bad_images", "init_from", "init_map", "adapt_input")
"""The options of `archspec train` that determine the result, besides the data, the recipe and the seed."""


@dataclass(frozen=True)
class RunRecord:
    """What a comparison reads of a run directory."""

    directory: Path
    """The run directory."""
    name: str
    """The name of its network."""
    data: str
    """The data source."""
    seed: int | None
    """The seed of the run."""
    recipe: Mapping[str, Any]
    """The recipe as run.json has it."""
    history: tuple[Mapping[str, float], ...]
    """The rows of history.csv."""
    seconds: float | None
    """Wall time, from the first step to the last file; None for an unfinished run."""
    images_per_second: float | None
    """The median of all epochs but the first, which compiles."""
    spec: str = field(default="", repr=False)
    """The text of its spec, with the settings of its parameters."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """OPTIONS, as run.json has them."""
    scores: tuple[str, ...] = ("val_top1",)
    """The columns of history.csv whose mean chooses the best epoch: `val_top1`, `val_auc`, one for each output."""

    @property
    def best(self) -> Mapping[str, float] | None:
        """The epoch with the highest mean of the scores, then the lowest loss, as `best.keras`; None without one."""
        rows = [row for row in self.history if all(score in row for score in self.scores)]
        return max(
            rows,
            key=lambda row: (mean(row[score] for score in self.scores), -row.get("val_loss", 0.0)),
            default=None,
        )

    def figure(self) -> ErrorFigure | None:
        """The validation error of the best epoch; None for a run on other targets than one class for each image."""
        best = self.best
        if best is None or "val_top1" not in best:
            return None
        top5 = best.get("val_top5")
        return ErrorFigure(
            100 * (1 - best["val_top1"]),
            None if top5 is None else 100 * (1 - top5),
            "center",
            f"{self.data} validation",
            f"{self.directory}: best epoch, by validation",
            measured=True,
        )


def is_run(path: Path) -> bool:
    """Whether a folder is a run directory."""
    return (path / "run.json").is_file()


def evaluations_in(path: Path) -> list[Path]:
    """The files that `archspec evaluate -o` wrote in a folder."""
    return sorted(path.glob("**/evaluation.json")) if path.is_dir() else []


def read_run(path: Path) -> RunRecord:
    """Read a run directory. Raises ArchspecError: `bad-run` for a file that cannot be read."""
    record = _json(path / "run.json")
    times = [row["images_per_second"] for row in _rows(path / "times.csv") if "images_per_second" in row]
    seconds = record.get("seconds")
    return RunRecord(
        path,
        str(record.get("name") or path.name),
        str(record.get("data") or "unknown data"),
        record.get("seed"),
        record.get("recipe") or {},
        tuple(_rows(path / "history.csv")),
        float(seconds) if seconds is not None else None,
        median(times[1:] or times) if times else None,
        file_text(path / "spec.yaml"),
        {name: record.get(name) for name in OPTIONS},
        _scores(record),
    )


def file_text(path: Path) -> str:
    """The text of a file; nothing if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _scores(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The main metrics of the targets, which run.json holds with the best epoch."""
    best = record.get("best")
    found = [name for name in best if name.startswith("val_")] if isinstance(best, Mapping) else []
    return tuple(name for name in found if name not in ("val_loss", "val_top5")) or ("val_top1",)


def read_evaluation(path: Path) -> tuple[Path, ErrorFigure | None]:
    """The run directory of the evaluated model, and its error rates; None for other targets than one class.

    Raises ArchspecError: `bad-run`.
    """
    record = _json(path)
    members = record.get("members") or [{}]
    try:
        other = bool(record.get("output")) or record.get("target", "classes") != "classes"
        rates = ("top1_error", "top5_error") if not other else ()
        top1, top5 = (record[key] and 100 * record[key]["rate"] for key in rates) if rates else (None, None)
        model = Path(str(members[0].get("model", "")))
        protocol, data = str(record["protocol"]), str(record["data"])
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from None
    figure = ErrorFigure(top1, top5, protocol, data, str(path.parent), measured=True, ensemble=len(members) > 1)
    return model.parent if model.suffix == ".keras" else model, None if other else figure


def _json(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(record, dict):
        raise _unreadable(path, "it is no JSON object")
    return record


def _rows(path: Path) -> Iterator[dict[str, float]]:
    """The rows of a table of numbers; nothing if the file does not exist."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield {name: float(text) for name, text in row.items() if name and text}
    except FileNotFoundError:
        return
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: object) -> Exception:
    return fail("bad-run", f"cannot read `{path}`: {error}", help="give a run directory or a folder of `evaluate -o`")


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ in their seeds only."""

    label: str
    """The network, with the values of the recipe in which it differs from other groups."""
    runs: tuple[RunRecord, ...]

    def band(self, metric: str) -> list[tuple[float, float, float, float]]:
        """(epoch, mean, low, high) of a metric; low and high are one standard deviation away, or the mean."""
        by_epoch: dict[float, list[float]] = {}
        for run in self.runs:
            for row in run.history:
                if metric in row:
                    by_epoch.setdefault(row["epoch"], []).append(row[metric])
        found = []
        for epoch, values in sorted(by_epoch.items()):
            middle, away = mean(values), stdev(values) if len(values) > 1 else 0.0
            found.append((epoch, middle, middle - away, middle + away))
        return found


def grouped(runs: Sequence[RunRecord]) -> list[RunGroup]:
    """Runs of one spec, data source, recipe and options together, in the order of their first run."""
    groups: dict[tuple[str, ...], list[RunRecord]] = {}
    for run in runs:
        settings = (json.dumps(each, sort_keys=True, default=str) for each in (run.recipe, run.options))
        groups.setdefault((run.name, run.spec, run.data, *settings), []).append(run)
    different = recipe_differences(runs)
    names = Counter(members[0].name for members in groups.values())
    found = []
    for members in groups.values():
        recipe, name = flat(members[0].recipe), members[0].name
        values = [f"{key}={shown(recipe[key])}" for key in different if recipe.get(key) is not None]
        found.append(f"{name}, {', '.join(values)}" if names[name] > 1 and values else name)
    places = [f"{label} in {members[0].directory}" for label, members in zip(found, groups.values(), strict=True)]
    labels = [place if found.count(label) > 1 else label for label, place in zip(found, places, strict=True)]
    seeds = [f" ({len(members)} seeds)" if len(members) > 1 else "" for members in groups.values()]
    each = zip(labels, seeds, groups.values(), strict=True)
    return [RunGroup(f"{label}{count}", tuple(members)) for label, count, members in each]


def recipe_differences(runs: Sequence[RunRecord]) -> list[str]:
    """The dotted keys of the recipes whose values differ between the runs."""
    recipes = [flat(run.recipe) for run in runs]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    return [key for key in keys if len({shown(recipe.get(key)) for recipe in recipes}) > 1]


def flat(recipe: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys: `optimizer.sgd.learning_rate`."""
    found: dict[str, Any] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def shown(value: Any) -> str:
    """A value of a recipe in a table."""
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
