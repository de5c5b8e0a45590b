"""The base of learning rate schedules, and the warm-up that goes with all of them."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.declare import Declared, arg, choice, declared
from archspec.lang.recipes.bounds import AT_LEAST_0, SHARE


@dataclass(frozen=True)
class Clock:
    """The current update of a run, counted from 0, and the length of the run."""

    iteration: int
    per_epoch: int
    """Updates per epoch."""
    total: int
    """Updates of the whole run."""
    warmup: float = 0.0
    """Updates of the warm-up."""

    @property
    def epoch(self) -> float:
        """Epochs so far, with a fraction."""
        return self.iteration / self.per_epoch

    def count(self, unit: str) -> float:
        """Time since the start, in `iterations` or `epochs`."""
        return self.epoch if unit == "epochs" else self.iteration

    def length(self, unit: str) -> float:
        """Length of the run, in `iterations` or `epochs`."""
        return self.total / self.per_epoch if unit == "epochs" else self.total


@declared
class Schedule(Declared):
    """Base of all schedules."""

    def rate(self, base: float, clock: Clock) -> float:
        """The learning rate of one update, from the optimizer's `base`."""
        return base


@dataclass(frozen=True)
class Warmup:
    """Lower learning rates for the first updates (Goyal et al. 2017, section 2.2; He et al. 2015, section 4.2)."""

    epochs: float = arg(AT_LEAST_0, "length in epochs", 0)
    iterations: float = arg(AT_LEAST_0, "length in updates, instead of epochs", 0)
    factor: float = arg(SHARE, "first learning rate, as a share of the schedule's", 0.0)
    kind: str = arg(
        choice("linear", "constant"),
        "`linear` increases from `factor` to 1; `constant` stays at `factor` until the end",
        "linear",
    )

    def summary(self) -> str:
        """`warm-up for 5 epochs`; empty for none."""
        number, unit = (self.iterations, "update") if self.iterations else (self.epochs, "epoch")
        return f"warm-up for {number:g} {unit}{'s' if number != 1 else ''}" if number else ""

    def length(self, per_epoch: int) -> float:
        """Its number of updates, with `per_epoch` in an epoch."""
        return self.iterations or self.epochs * per_epoch

    def share(self, clock: Clock) -> float:
        """The factor of the schedule's learning rate."""
        if clock.iteration >= clock.warmup:
            return 1.0
        if self.kind == "constant":
            return self.factor
        return self.factor + (1 - self.factor) * clock.iteration / clock.warmup
