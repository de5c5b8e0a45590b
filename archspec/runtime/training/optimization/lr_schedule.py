"""The learning rate of each step of a run, and when to stop: what is known on the host, and what it has seen so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archspec.diagnostics import fail
from archspec.lang.recipes.monitor import improves
from archspec.lang.recipes.recipe import Recipe, RunLength
from archspec.lang.recipes.schedule import Clock
from archspec.lang.recipes.schedules import PlateauSchedule


def check_monitors(recipe: Recipe, classes: int) -> None:
    """Raises ArchspecError (recipe) when the recipe watches a figure that a run of so many classes has not."""
    for given, key in ((recipe.early_stopping, "early_stopping"), (recipe.schedule, "schedule")):
        if getattr(given, "monitor", None) == "val_top5" and classes <= 5:
            fact = f"`{key}` watches `val_top5`, which is 1 for {classes} classes and not in the history"
            raise fail("recipe", fact, help="watch `val_top1` or `val_loss`")


class LearningRateSchedule:
    """The course of the learning rate. `at(step)` for each step, counted from 0; `after(row)` for each epoch.

    Args:
        recipe: its optimizer's rate, schedule, warm-up and scale.
        length: of the run.
    """

    def __init__(self, recipe: Recipe, length: RunLength) -> None:
        self._recipe, self._length = recipe, length
        self._warmup = recipe.warmup.length(length.iterations_per_epoch) if recipe.warmup else 0.0
        self._base = recipe.optimizer.learning_rate
        self._best: float | None = None
        self._wait = self._cooldown = 0

    def at(self, step: int) -> float:
        """The rate of the update that a step belongs to. Raises ArchspecError (recipe) where it overflows."""
        length, recipe = self._length, self._recipe
        iteration = length.iteration(step, recipe.accumulated)
        clock = Clock(iteration, length.iterations_per_epoch, length.iterations, self._warmup)
        share = recipe.warmup.share(clock) if recipe.warmup else 1.0
        try:
            rate = recipe.schedule.rate(self._base, clock) * share * recipe.scale
        except OverflowError:
            rate = math.inf
        if not math.isfinite(rate):
            fact = f"the learning rate of update {iteration + 1:,} is beyond all numbers"
            raise fail("recipe", fact, help=f"look at the arguments of `{recipe.schedule.name}`")
        return rate

    def after(self, row: Mapping[str, Any]) -> str | None:
        """Take note of an epoch's figures, a row of history.csv. Returns a line when the plateau drops the rate."""
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
        """What `restore` needs to go on as if nothing had happened."""
        return {"base": self._base, "best": self._best, "wait": self._wait, "cooldown": self._cooldown}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the state that `state` gave."""
        self._base, self._best = state["base"], state["best"]
        self._wait, self._cooldown = state["wait"], state["cooldown"]


class EarlyStopper:
    """`early_stopping:` of a recipe, or never. `after(row)` for each epoch says whether to stop."""

    def __init__(self, recipe: Recipe) -> None:
        self._given = recipe.early_stopping
        self._best: float | None = None
        self._wait = 0

    def after(self, row: Mapping[str, Any]) -> bool:
        """Take note of an epoch's figures, a row of history.csv. As `keras.callbacks.EarlyStopping.on_epoch_end`."""
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
        """What `restore` needs to go on as if nothing had happened."""
        return {"best": self._best, "wait": self._wait}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the state that `state` gave."""
        self._best, self._wait = state["best"], state["wait"]
