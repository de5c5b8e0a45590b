"""The course of the learning rate: Keras's schedules under Keras's names, and the short forms of papers.

Every schedule is arithmetic on a Clock, so that a rate is known before anything is built. `plateau` alone looks at how
the training goes.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

from archspec.declare import BOOLEAN, POSITIVE_NUMBER, Declared, arg, choice, declared
from archspec.lang.recipes.monitor import MIN_DELTA, MODE, MONITOR, PATIENCE
from archspec.lang.recipes.optimizers import AT_LEAST_0, SHARE, optional

COUNTED = arg(choice("iterations", "epochs"), "what its steps and boundaries count", "iterations")
INITIAL: Any = arg(optional(AT_LEAST_0), "the first rate; the optimizer's own where none is given", None)
MARKS = {"type": ["array", "null"], "items": AT_LEAST_0, "minItems": 1}


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


@declared
class Constant(Schedule):
    """The learning rate stays as it is."""

    name = "constant"


@declared
class Step(Schedule):
    """Multiply the learning rate by `gamma` at each of the given epochs or iterations (He et al. 2015, section 4.2)."""

    name = "step"

    epochs: tuple[float, ...] | None = arg(MARKS, "epochs after which it drops", None)
    gamma: float = arg(POSITIVE_NUMBER, "what the rate is multiplied by at each of them", 0.1)
    iterations: tuple[float, ...] | None = arg(MARKS, "updates after which it drops, instead of epochs", None)

    def rate(self, base: float, clock: Clock) -> float:
        by_epoch = sum(clock.epoch >= mark for mark in self.epochs or ())
        return float(base * self.gamma ** (by_epoch + bisect_right(sorted(self.iterations or ()), clock.iteration)))


@declared
class Cosine(Schedule):
    """Half a cosine from the learning rate down, after the warm-up (Loshchilov & Hutter 2016, equation 5)."""

    name = "cosine"

    alpha: float = arg(SHARE, "the last rate as a share of the first", 0.0)

    def rate(self, base: float, clock: Clock) -> float:
        rest = max(clock.iteration - clock.warmup, 0) / max(clock.total - clock.warmup, 1e-9)
        return base * ((1 - self.alpha) * (1 + math.cos(math.pi * min(rest, 1.0))) / 2 + self.alpha)


@declared
class Plateau(Schedule):
    """Multiply the learning rate by `factor` when a figure has not improved for `patience` epochs.

    Krizhevsky et al. 2012, section 5; the arguments and their meaning are those of `keras.callbacks.ReduceLROnPlateau`.
    """

    name = "plateau"

    monitor: str = MONITOR
    factor: float = arg(
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "what it is multiplied by", 0.1
    )
    patience: int = arg(PATIENCE, "epochs without improvement before it drops", 10)
    mode: str = MODE
    min_delta: float = arg(MIN_DELTA, "the least change that is an improvement", 1e-4)
    cooldown: int = arg(PATIENCE, "epochs after a drop that count for nothing", 0)
    min_lr: float = arg(AT_LEAST_0, "the rate never drops below", 0.0)


@declared
class ExponentialDecay(Schedule):
    """The rate times decay_rate ^ (step / decay_steps)."""

    name = "exponential_decay"

    decay_rate: float = arg(POSITIVE_NUMBER, "the factor")
    decay_steps: float | None = arg(optional(POSITIVE_NUMBER), "how long one factor takes; by default the run", None)
    staircase: bool = arg(BOOLEAN, "drop at once at the end of each decay_steps", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        periods = clock.count(self.unit) / (self.decay_steps or clock.length(self.unit))
        return float(_first(self, base) * self.decay_rate ** (math.floor(periods) if self.staircase else periods))


@declared
class InverseTimeDecay(Schedule):
    """The rate divided by 1 + decay_rate * step / decay_steps."""

    name = "inverse_time_decay"

    decay_rate: float = arg(AT_LEAST_0, "how much is added to the divisor in that time")
    decay_steps: float | None = arg(optional(POSITIVE_NUMBER), "how long one decay takes; by default the run", None)
    staircase: bool = arg(BOOLEAN, "drop at once at the end of each decay_steps", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        periods = clock.count(self.unit) / (self.decay_steps or clock.length(self.unit))
        return _first(self, base) / (1 + self.decay_rate * (math.floor(periods) if self.staircase else periods))


@declared
class PolynomialDecay(Schedule):
    """From the rate to end_learning_rate along (1 - step / decay_steps) ^ power."""

    name = "polynomial_decay"

    decay_steps: float | None = arg(optional(POSITIVE_NUMBER), "how long it takes; by default the run", None)
    end_learning_rate: float = arg(AT_LEAST_0, "the last rate", 0.0001)
    power: float = arg(AT_LEAST_0, "1 is a straight line", 1.0)
    cycle: bool = arg(BOOLEAN, "begin again, longer each time, instead of staying there", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        count, length = clock.count(self.unit), self.decay_steps or clock.length(self.unit)
        if self.cycle:
            length *= math.ceil(count / length) or 1
        rest = 1 - min(count / length, 1.0)
        return float((_first(self, base) - self.end_learning_rate) * rest**self.power + self.end_learning_rate)


@declared
class CosineDecay(Schedule):
    """Half a cosine down to alpha of the rate, after a linear rise to warmup_target (Loshchilov & Hutter 2016)."""

    name = "cosine_decay"

    decay_steps: float | None = arg(
        optional(POSITIVE_NUMBER), "how long the decay takes; by default what the warm-up leaves of the run", None
    )
    alpha: float = arg(AT_LEAST_0, "the last rate as a share of the highest", 0.0)
    warmup_target: float | None = arg(optional(POSITIVE_NUMBER), "the highest rate; without it there is no rise", None)
    warmup_steps: float = arg(AT_LEAST_0, "how long the rise takes", 0)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        count, first = clock.count(self.unit), _first(self, base)
        rise = 0.0 if self.warmup_target is None else self.warmup_steps
        top = first if self.warmup_target is None else self.warmup_target
        if count < rise:
            return (top - first) * count / rise + first
        length = self.decay_steps or max(clock.length(self.unit) - rise, 1e-9)
        share = min((count - rise) / length, 1.0)
        return top * ((1 - self.alpha) * (1 + math.cos(math.pi * share)) / 2 + self.alpha)


@declared
class CosineDecayRestarts(Schedule):
    """Half cosines, each t_mul times as long and m_mul times as high as the one before (Loshchilov & Hutter 2016)."""

    name = "cosine_decay_restarts"

    first_decay_steps: float = arg(POSITIVE_NUMBER, "how long the first takes")
    t_mul: float = arg({"type": "number", "minimum": 1}, "how much longer each is", 2.0)
    m_mul: float = arg(POSITIVE_NUMBER, "how much higher each begins", 1.0)
    alpha: float = arg(AT_LEAST_0, "the last rate as a share of the first", 0.0)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        rest, length, height = clock.count(self.unit), self.first_decay_steps, 1.0
        if self.t_mul == 1:
            height = float(self.m_mul ** math.floor(rest / length))
            rest %= length
        while rest >= length:
            rest, length, height = rest - length, length * self.t_mul, height * self.m_mul
        cosine = height * (1 + math.cos(math.pi * rest / length)) / 2
        return _first(self, base) * ((1 - self.alpha) * cosine + self.alpha)


@declared
class PiecewiseConstantDecay(Schedule):
    """values[0] up to and with boundaries[0], then values[1], and so on."""

    name = "piecewise_constant_decay"

    boundaries: tuple[float, ...] = arg({"type": "array", "items": AT_LEAST_0, "minItems": 1}, "where the rate changes")
    values: tuple[float, ...] = arg({"type": "array", "items": AT_LEAST_0, "minItems": 2}, "the rates, one more")
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        return self.values[bisect_left(self.boundaries, clock.count(self.unit))]


def _first(schedule: Any, base: float) -> float:
    given: float | None = schedule.initial_learning_rate
    return base if given is None else given


SCHEDULES: dict[str, type[Schedule]] = {
    each.name: each
    for each in (
        Constant,
        Step,
        Cosine,
        Plateau,
        ExponentialDecay,
        InverseTimeDecay,
        PolynomialDecay,
        PiecewiseConstantDecay,
        CosineDecay,
        CosineDecayRestarts,
    )
}


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
