"""From the runs of the arms to the numbers, the paired differences and the verdict of a lab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.arms import ArmOutcome, ArmRun, epochs_to
from archspec.runtime.labs.bootstrap import combined, of_seeds
from archspec.runtime.labs.lab import Lab, LabComparison
from archspec.runtime.labs.result import PairedDifference, cell, judged

Outcomes = Mapping[str, ArmOutcome]
UNITS = {"train_loss": "nats", "epochs_to": "epochs", "seconds_per_epoch": "seconds"}
TITLES = {
    "accuracy": "test accuracy (%)",
    "train_accuracy": "training accuracy (%)",
    "gap": "training - test accuracy (points)",
    "train_loss": "training loss (nats)",
    "seconds_per_epoch": "seconds an epoch",
}


def title(lab: Lab, measure: str) -> str:
    """A measure as the name of a column."""
    return f"epochs to {lab.threshold:g} % training error" if measure == "epochs_to" else TITLES[measure]


def figure_of(run: ArmRun, lab: Lab, measure: str, test: str) -> float:
    """A measure of one run; accuracies in percent."""
    if measure == "accuracy":
        return 100 * float(run.correct(test).mean())
    if measure == "train_accuracy":
        return 100 * float(run.train_correct.mean())
    if measure == "gap":
        return 100 * float(run.train_correct.mean() - run.correct(test).mean())
    if measure == "epochs_to":
        return epochs_to(run.history, lab.threshold)
    if measure == "seconds_per_epoch":
        return float(np.median(run.history["seconds"][1:] or run.history["seconds"]))
    return float(run.history["loss"][-1]) if run.history["loss"] else float("inf")


def mean_of(outcome: ArmOutcome, lab: Lab, measure: str, test: str) -> float:
    """A measure of an arm, averaged over the seeds."""
    return float(np.mean([figure_of(run, lab, measure, test) for run in outcome.runs]))


def difference(lab: Lab, comparison: LabComparison, outcomes: Outcomes) -> PairedDifference:
    """The paired difference of a comparison, with its interval and verdict."""
    tests = list(lab.tests)
    test = comparison.test or tests[0]
    first = outcomes[comparison.first]
    second = outcomes[comparison.second] if comparison.second else None
    measure, expect = comparison.measure, comparison.expect
    what = f"{comparison.first} - {comparison.second}" if second else comparison.first
    what += f", {title(lab, measure).partition(' (')[0]}"
    if len(tests) > 1 and measure in ("accuracy", "gap"):
        what += f", {test}"
    what += f" - {comparison.beyond}" * bool(comparison.beyond)
    if measure in ("accuracy", "train_accuracy", "gap") and expect != "ratio":
        parts = _images(measure, first, second, test, comparison.beyond or "")
        return judged(what, "points", combined(parts), expect, comparison.margin, 100.0)  # type: ignore[arg-type]
    figures = np.array([[figure_of(run, lab, measure, test) for run in each.runs] for each in (first, second or first)])
    if expect == "ratio":
        what = what.replace(" - ", " / ", 1)
        return judged(what, "times", of_seeds(figures, _ratio), "ratio", comparison.margin)
    interval = of_seeds(figures, lambda drawn: (drawn[0] - drawn[1]).mean(axis=-1))
    return judged(what, UNITS.get(measure, "points"), interval, expect, comparison.margin)  # type: ignore[arg-type]


def _ratio(drawn: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = drawn[0].mean(axis=-1) / drawn[1].mean(axis=-1)
    return found


def _images(
    measure: str, first: ArmOutcome, second: ArmOutcome | None, test: str, beyond: str
) -> list[list[npt.NDArray[np.float64]]]:
    """For each set of images, test and training, and for each seed: what each image adds to the difference."""
    signed = [(1.0, first), *([(-1.0, second)] if second else [])]
    parts = []
    if measure in ("accuracy", "gap"):
        sign = -1.0 if measure == "gap" else 1.0
        of_test = []
        for number in range(len(first.runs)):
            runs = [(sign * factor, each.runs[number]) for factor, each in signed]
            total: Any = sum(factor * run.correct(test) for factor, run in runs)
            if beyond:
                total = total - sum(factor * run.correct(beyond) for factor, run in runs)
            of_test.append(np.asarray(total, np.float64))
        parts.append(of_test)
    if measure in ("train_accuracy", "gap"):
        parts.append(
            [
                np.asarray(sum(factor * each.runs[number].train_correct for factor, each in signed), np.float64)
                for number in range(len(first.runs))
            ]
        )
    return parts


def table(lab: Lab, outcomes: Outcomes) -> tuple[tuple[str, ...], tuple[tuple[str | float, ...], ...]]:
    """The columns and rows of a lab with arms."""
    tests = list(lab.tests)
    measured = dict.fromkeys([*(each.measure for each in lab.compare), lab.figure.measure])
    measures = [("accuracy", test) for test in tests]
    measures += [("train_accuracy", tests[0])]
    measures += [(each, tests[0]) for each in measured if each not in ("accuracy", "train_accuracy")]
    columns = ["network", "parameters"]
    for measure, test in measures:
        columns.append(title(lab, measure) + (f", {test}" if measure == "accuracy" and len(tests) > 1 else ""))
    grids = {word for arm in lab.arms.values() for word in arm.grid}
    columns += [f"best {word.rpartition('.')[2].replace('_', ' ')}" for word in sorted(grids)]
    shown = {name: each for name, each in outcomes.items() if lab.arms[name].compared}
    rows: list[tuple[str | float, ...]] = [
        (
            name,
            float(each.parameters),
            *(mean_of(each, lab, measure, test) for measure, test in measures),
            *([each.chosen or "-"] if grids else []),
        )
        for name, each in shown.items()
    ]
    return tuple(columns), tuple(rows)


def reason(lab: Lab, outcomes: Outcomes, seeds: int) -> str:
    """The deciding differences in words: `95.1 % against 88.2 %, +6.9 points (5.1 to 8.8); 3 seeds`."""
    phrases = []
    for comparison in lab.compare:
        if comparison.decides:
            phrases.append(_phrase(lab, comparison, outcomes))
    return f"{'; '.join(phrases)}; {seeds} seed{'s' * (seeds > 1)}"


def _phrase(lab: Lab, comparison: LabComparison, outcomes: Outcomes) -> str:
    found = difference(lab, comparison, outcomes)
    tests = list(lab.tests)
    test = comparison.test or tests[0]
    unit = {"accuracy": " %", "train_accuracy": " %", "gap": " points"}.get(comparison.measure, "")
    sides: list[tuple[Any, str]] = [(outcomes[comparison.first], test)]
    if comparison.second:
        sides.append((outcomes[comparison.second], test))
    elif comparison.beyond:
        sides.append((outcomes[comparison.first], comparison.beyond))
    values = [f"{cell(round(mean_of(each, lab, comparison.measure, where), 2))}{unit}" for each, where in sides]
    name = title(lab, comparison.measure).partition(" (")[0]
    where = f" ({test})" if len(tests) > 1 and comparison.measure in ("accuracy", "gap") else ""
    names = f"{comparison.first} against {comparison.second}" if comparison.second else comparison.first
    of = f"{names}, {name}{where}: {' against '.join(values)}"
    sign = "" if found.unit == "times" else "+"
    between = f"{found.value:{sign}.3g} {found.unit} ({found.low:{sign}.3g} to {found.high:{sign}.3g})"
    if comparison.beyond and comparison.second:
        return f"the difference grows by {between} from {comparison.beyond} to {test}"
    return f"{of}, {between}{_unreached(lab, comparison, outcomes)}"


def _unreached(lab: Lab, comparison: LabComparison, outcomes: Outcomes) -> str:
    """What to know about runs that ended before the threshold: they count as one epoch longer than they were."""
    if comparison.measure != "epochs_to":
        return ""
    runs = [run for name in (comparison.first, comparison.second) if name for run in outcomes[name].runs]
    count = sum(epochs_to(run.history, lab.threshold) > len(run.history["top1"]) for run in runs)
    return f"; {count} of {len(runs)} runs did not get there, and count as one epoch longer than they were" * bool(
        count
    )
