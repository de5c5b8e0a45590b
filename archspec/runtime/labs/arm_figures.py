"""The figures of a lab with arms: a point for each seed, a line over test conditions, or learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archspec.runtime.labs.arms import ArmOutcome, ArmRun
from archspec.runtime.labs.compare_arms import figure_of, mean_of, title
from archspec.runtime.labs.figure_style import COLORS, GREY, figure, label_ends
from archspec.runtime.labs.lab import Lab
from archspec.runtime.labs.result import cell

XLABELS = {"epochs": "epoch", "updates": "updates of the weights", "seconds": "training time (s)"}
YLABELS = {"train_error": "training error (%)", "train_loss": "training loss (nats)", "test_error": "test error (%)"}


def draw(lab: Lab, outcomes: Mapping[str, ArmOutcome], out: Path) -> tuple[Path, ...]:
    """Draw the figures that the lab asks for, NAME.png and NAME-X.png. Returns their paths."""
    shown = {name: each for name, each in outcomes.items() if lab.arms[name].compared}
    paths = [out / f"{lab.name}.png"]
    if lab.figure.kind == "curves":
        _curves(lab, shown, paths[0], lab.figure.x)
        for x in lab.figure.also:
            paths.append(out / f"{lab.name}-{x}.png")
            _curves(lab, shown, paths[-1], x)
    else:
        {"arms": _arms, "tests": _tests}[lab.figure.kind](lab, shown, paths[0])
    return tuple(paths)


def _arms(lab: Lab, outcomes: Mapping[str, ArmOutcome], path: Path) -> None:
    """One row for each arm: a dot for each seed, and the mean as a number."""
    measure, test = lab.figure.measure, next(iter(lab.tests))
    xlabel = lab.figure.xlabel or title(lab, measure)
    with figure(path, lab.claim, xlabel=xlabel) as axes:
        for row, outcome in enumerate(outcomes.values()):
            values = [figure_of(run, lab, measure, test) for run in outcome.runs]
            color, mean = COLORS[row % len(COLORS)], float(np.mean(values))
            axes.plot([min(values), max(values)], [row, row], color=color, alpha=0.35, linewidth=8)
            axes.plot(values, [row] * len(values), "o", color=color, alpha=0.8)
            axes.plot([mean, mean], [row - 0.25, row + 0.25], color=color, linewidth=5)
            text = f"{mean:.1f}" if 10 <= abs(mean) < 1000 else cell(round(mean, 2))
            axes.annotate(
                text,
                (max(values), row),
                xytext=(14, 0),
                textcoords="offset points",
                va="center",
                color=color,
                fontweight="bold",
                annotation_clip=False,
            )
        axes.set_yticks(range(len(outcomes)), list(outcomes))
        for tick, color in zip(axes.get_yticklabels(), COLORS, strict=False):
            tick.set(color=color, fontweight="bold")
        axes.set_ylim(len(outcomes) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x", color=GREY)
        axes.margins(x=0.12)
        if lab.figure.log:
            axes.set_xscale("log")


def _tests(lab: Lab, outcomes: Mapping[str, ArmOutcome], path: Path) -> None:
    """A line for each arm over the test conditions; thin dots are the seeds."""
    tests = list(lab.tests)
    with figure(path, lab.claim, xlabel=lab.figure.xlabel or "", ylabel=title(lab, "accuracy")) as axes:
        ends = {}
        for color, (name, outcome) in zip(COLORS, outcomes.items(), strict=False):
            for run in outcome.runs:
                dots = [figure_of(run, lab, "accuracy", test) for test in tests]
                axes.plot(range(len(tests)), dots, "o", color=color, alpha=0.35)
            means = [mean_of(outcome, lab, "accuracy", test) for test in tests]
            axes.plot(range(len(tests)), means, color=color)
            ends[f"{name} {means[-1]:.1f}"] = (len(tests) - 1.0, means[-1], color)
        axes.set_xticks(range(len(tests)), [_broken(test, len(tests)) for test in tests])
        label_ends(axes, ends)


def _broken(text: str, count: int) -> str:
    """A label in lines that fit beside `count - 1` others."""
    import textwrap

    return textwrap.fill(text, max(8, 70 // count))


def _curves(lab: Lab, outcomes: Mapping[str, ArmOutcome], path: Path, x: str) -> None:
    """The mean curve of each arm, and those of its seeds behind it."""
    y = lab.figure.y
    with figure(path, lab.claim, xlabel=lab.figure.xlabel or XLABELS[x], ylabel=YLABELS[y]) as axes:
        ends, lost = {}, {}
        for color, (name, outcome) in zip(COLORS, outcomes.items(), strict=False):
            curves = [(xs, ys) for run in outcome.runs for xs, ys in [_curve(run, x, y)] if len(ys)]
            for xs, ys in curves:
                axes.plot(xs, ys, color=color, alpha=0.25, linewidth=1.5)
            if not curves:
                lost[name] = color
                continue
            length = min(len(ys) for _, ys in curves)
            mean_x = np.mean([xs[:length] for xs, _ in curves], axis=0)
            mean_y = np.mean([ys[:length] for _, ys in curves], axis=0)
            axes.plot(mean_x, mean_y, color=color)
            label = f"{name}, rate {outcome.chosen}" if outcome.chosen else name
            ends[label] = (float(mean_x[-1]), float(mean_y[-1]), color)
        if x == "updates":
            axes.set_xscale("log")
        if lab.figure.log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
        else:
            axes.set_ylim(bottom=0)
        if any(each.measure == "epochs_to" for each in lab.compare) and y == "train_error":
            axes.axhline(lab.threshold, color="black", linewidth=1.5, linestyle=(0, (4, 3)))
        last, top = max((end[0] for end in ends.values()), default=1.0), axes.get_ylim()[1]
        for name, color in lost.items():  # no epoch ended: there is no line
            ends[f"{name}: NaN"] = (last, top, color)
        label_ends(axes, ends)


def _curve(run: ArmRun, x: str, y: str) -> tuple[Any, Any]:
    history = run.history
    if y == "train_loss":
        values = np.asarray(history["loss"])
    else:
        values = 100 * (1 - np.asarray(history["top1" if y == "train_error" else "val_top1"]))
    epochs = np.arange(1, len(values) + 1, dtype=float)
    if x == "updates":
        return epochs * run.updates_per_epoch, values
    return (np.cumsum(history["seconds"][: len(values)]) if x == "seconds" else epochs), values
