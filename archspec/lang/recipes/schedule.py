"""Where a run stands, what every schedule makes of it, and the warm-up before it."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.declare import Declared, arg, choice, declared
from archspec.lang.recipes.bounds import AT_LEAST_0, SHARE


@dataclass(frozen=True)
class Clock:
    """Where a run stands. An iteration is an update of the weights, the first is 0."""

    iteration: int
    per_epoch: int
    """Updates an epoch."""
    total: int
    """Updates of the whole run."""
    warmup: float = 0.0
    """Updates of the warm-up."""

    @property
    def epoch(self) -> float:
        """How many epochs are over, with its fraction."""
        return self.iteration / self.per_epoch

    def count(self, unit: str) -> float:
        """How much is over, in `iterations` or `epochs`."""
        return self.epoch if unit == "epochs" else self.iteration

    def length(self, unit: str) -> float:
        """The whole run in `iterations` or `epochs`."""
        return self.total / self.per_epoch if unit == "epochs" else self.total


@declared
class Schedule(Declared):
    """Base of all schedules."""

    def rate(self, base: float, clock: Clock) -> float:
        """The learning rate of one update, from the optimizer's `base`."""
        return base


@dataclass(frozen=True)
class Warmup:
    """Lower rates for the first updates (Goyal et al. 2017, section 2.2; He et al. 2015, 4.2)."""

    epochs: float = arg(AT_LEAST_0, "how long, in epochs", 0)
    iterations: float = arg(AT_LEAST_0, "how long, in updates, instead of epochs", 0)
    factor: float = arg(SHARE, "the share of the rate that it begins with", 0.0)
    kind: str = arg(
        choice("linear", "constant"), "rise in a straight line; or stay at the factor, and jump at the end", "linear"
    )

    def length(self, per_epoch: int) -> float:
        """Its updates, of `per_epoch` an epoch."""
        return self.iterations or self.epochs * per_epoch

    def share(self, clock: Clock) -> float:
        """What the schedule's rate is multiplied by."""
        if clock.iteration >= clock.warmup:
            return 1.0
        if self.kind == "constant":
            return self.factor
        return self.factor + (1 - self.factor) * clock.iteration / clock.warmup
