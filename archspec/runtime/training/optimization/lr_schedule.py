"""The learning rate of each step of a run, and early stopping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.diagnostics import fail, listed
from archspec.lang.recipes.monitor import improves
from archspec.lang.recipes.recipe import Recipe, RunLength
from archspec.lang.recipes.schedules import Clock, PlateauSchedule
from archspec.targets import OutputTargets


def history_columns(targets: OutputTargets) -> list[str]:
    """The metrics in history.csv of a run with these targets: `loss`, `top1`, `val_loss`, `val_top1`, ..."""
    if targets.is_plain:
        return ["loss", "top1", "val_loss", "val_top1", *(["val_top5"] if targets[0].units > 5 else [])]
    return ["loss", *targets.running, "val_loss", *(f"val_{name}" for name in targets.metrics)]


def check_monitors(recipe: Recipe, columns: Sequence[str]) -> None:
    """Raises ArchspecError (`recipe`) if the recipe monitors a metric that is not in history.csv."""
    for given, key in ((recipe.early_stopping, "early_stopping"), (recipe.schedule, "schedule")):
        monitor = getattr(given, "monitor", None)
        if monitor is not None and monitor not in columns:
            raise fail(
                "recipe",
                f"`{key}` monitors `{monitor}`, which this run does not record",
                help=f"monitor one of {listed(f'`{each}`' for each in columns)}",
            )


class LearningRateSchedule:
    """The learning rate: call `at(step)` for each step, counted from 0, and `after(row)` after each epoch.

    Args:
        recipe: its optimizer, schedule, warm-up and scale determine the learning rate.
        length: of the run.
    """

    def __init__(self, recipe: Recipe, length: RunLength) -> None:
        self._recipe, self._length = recipe, length
        self._warmup = recipe.warmup.length(length.iterations_per_epoch) if recipe.warmup else 0.0
        self._base = recipe.optimizer.learning_rate
        self._best: float | None = None
        self._wait = self._cooldown = 0

    def at(self, step: int) -> float:
        """The learning rate of the update that a step belongs to. Raises ArchspecError (`recipe`) if it overflows."""
        length, recipe = self._length, self._recipe
        iteration = length.iteration(step, recipe.accumulated)
        clock = Clock(iteration, length.iterations_per_epoch, length.iterations, self._warmup)
        share = recipe.warmup.share(clock) if recipe.warmup else 1.0
        try:
            rate = recipe.schedule.rate(self._base, clock) * share * recipe.scale
        except OverflowError:
            rate = math.inf
        if not math.isfinite(rate):
            raise fail(
                "recipe",
                f"the learning rate of update {iteration + 1:,} overflows float64",
                help=f"check the arguments of `{recipe.schedule.name}`",
            )
        return rate

    def after(self, row: Mapping[str, Any]) -> str | None:
        """Use the metrics of an epoch, a row of history.csv. Returns a line if `plateau` lowers the learning rate."""
        given = self._recipe.schedule
        if not isinstance(given, PlateauSchedule):
            return None
        value = float(row[given.monitor])
        if self._cooldown:
            self._cooldown -= 1
            self._wait = 0
        if improves(value, self._best, given.monitor, given.mode, given.min_delta):
            self._best, self._wait = value, 0
            return None
        if self._cooldown:
            return None
        self._wait += 1
        if self._wait < given.patience or self._base <= given.min_lr:
            return None
        self._base = max(self._base * given.factor, given.min_lr)
        self._cooldown, self._wait = given.cooldown, 0
        best = f"the best {given.monitor} is still {self._best:.4g}"
        return f"epoch {row['epoch']}: {best}; the learning rate drops to {self._base * self._recipe.scale:g}"

    def state(self) -> dict[str, Any]:
        """The state for `restore`, as JSON."""
        return {"base": self._base, "best": self._best, "wait": self._wait, "cooldown": self._cooldown}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state`."""
        self._base, self._best = state["base"], state["best"]
        self._wait, self._cooldown = state["wait"], state["cooldown"]


class EarlyStopper:
    """`early_stopping` of a recipe: call `after(row)` after each epoch."""

    def __init__(self, recipe: Recipe) -> None:
        self._given = recipe.early_stopping
        self._best: float | None = None
        self._wait = 0

    def after(self, row: Mapping[str, Any]) -> bool:
        """Whether to stop after a row of history.csv, as `keras.callbacks.EarlyStopping.on_epoch_end`."""
        given = self._given
        epoch = row["epoch"] - 1
        if given is None or epoch < given.start_from_epoch:
            return False
        value = float(row[given.monitor])
        self._wait += 1
        if improves(value, self._best, given.monitor, given.mode, given.min_delta):
            self._best = value
            if improves(value, given.baseline, given.monitor, given.mode, given.min_delta):
                self._wait = 0
            return False
        return self._wait >= given.patience and epoch > 0

    def state(self) -> dict[str, Any]:
        """The state for `restore`, as JSON."""
        return {"best": self._best, "wait": self._wait}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the result of `state`."""
        self._best, self._wait = state["best"], state["wait"]
