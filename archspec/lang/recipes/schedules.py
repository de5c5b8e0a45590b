"""Learning rate schedules: the short forms of papers, and those of Keras with Keras's names and arguments.

Every schedule is a function of a Clock, so that learning rates are known before anything is built; only `plateau`
depends on metrics. A test compares Keras's schedules with Keras's own; their `initial_learning_rate` and the length of
a decay may be left out, and `unit` is the unit of steps and boundaries.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

from archspec.declare import (
    AT_LEAST_0,
    BOOLEAN,
    INSIDE,
    NATURAL,
    POSITIVE_NUMBER,
    SHARE,
    Declared,
    arg,
    choice,
    declared,
    optional,
)
from archspec.lang.recipes.monitor import MODE, MONITOR


class Clock(NamedTuple):
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

    def elapsed(self, unit: str) -> float:
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


@declared
class Warmup(Declared):
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


MARKS = {"type": ["array", "null"], "items": AT_LEAST_0, "minItems": 1}


@declared
class ConstantSchedule(Schedule):
    """A constant learning rate."""

    name = "constant"


@declared
class StepSchedule(Schedule):
    """Multiply the learning rate by `gamma` at each of the given epochs or iterations (He et al. 2015, section 4.2)."""

    name = "step"

    epochs: tuple[float, ...] | None = arg(MARKS, "epochs after which it drops", None)
    gamma: float = arg(POSITIVE_NUMBER, "factor of the learning rate at each drop", 0.1)
    iterations: tuple[float, ...] | None = arg(MARKS, "updates after which it drops, instead of epochs", None)

    def rate(self, base: float, clock: Clock) -> float:
        by_epoch = sum(clock.epoch >= mark for mark in self.epochs or ())
        return float(
            base * float(self.gamma) ** (by_epoch + bisect_right(sorted(self.iterations or ()), clock.iteration))
        )


@declared
class CosineSchedule(Schedule):
    """Half a cosine from the learning rate down, after the warm-up (Loshchilov & Hutter 2016, equation 5)."""

    name = "cosine"

    alpha: float = arg(SHARE, "last learning rate, as a share of the first", 0.0)

    def rate(self, base: float, clock: Clock) -> float:
        rest = max(clock.iteration - clock.warmup, 0) / max(clock.total - clock.warmup, 1e-9)
        return base * ((1 - self.alpha) * (1 + math.cos(math.pi * min(rest, 1.0))) / 2 + self.alpha)


@declared
class PlateauSchedule(Schedule):
    """Multiply the learning rate by `factor` when a metric has not improved for `patience` epochs.

    Krizhevsky et al. 2012, section 5; the arguments and their meaning are those of `keras.callbacks.ReduceLROnPlateau`.
    """

    name = "plateau"

    monitor: str = MONITOR
    factor: float = arg(INSIDE, "factor of the learning rate", 0.1)
    patience: int = arg(NATURAL, "epochs without improvement before the learning rate drops", 10)
    mode: str = MODE
    min_delta: float = arg(AT_LEAST_0, "smallest change that counts as an improvement", 1e-4)
    cooldown: int = arg(NATURAL, "epochs after a drop that are ignored", 0)
    min_lr: float = arg(AT_LEAST_0, "lower bound of the learning rate", 0.0)


COUNTED = arg(choice("iterations", "epochs"), "unit of steps and boundaries", "iterations")
INITIAL: Any = arg(optional(AT_LEAST_0), "the first learning rate; by default that of the optimizer", None)


def _first(schedule: Any, base: float) -> float:
    """The first learning rate: `initial_learning_rate`, or that of the optimizer."""
    given: float | None = schedule.initial_learning_rate
    return base if given is None else given


@declared
class _DecayByRate(Schedule):
    """Base of the schedules that decay by a rate in every `decay_steps`."""

    decay_rate: float = arg(POSITIVE_NUMBER, "the factor")
    decay_steps: float | None = arg(
        optional(POSITIVE_NUMBER),
        "steps after which the learning rate is multiplied by decay_rate; by default the run",
        None,
    )
    staircase: bool = arg(BOOLEAN, "change the learning rate only at multiples of decay_steps", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def periods(self, clock: Clock) -> float:
        """Time since the start, in units of `decay_steps`."""
        periods = clock.elapsed(self.unit) / (self.decay_steps or clock.length(self.unit))
        return math.floor(periods) if self.staircase else periods


@declared
class ExponentialDecay(_DecayByRate):
    """The learning rate times decay_rate ^ (step / decay_steps)."""

    name = "exponential_decay"

    def rate(self, base: float, clock: Clock) -> float:
        return float(_first(self, base) * float(self.decay_rate) ** self.periods(clock))


@declared
class InverseTimeDecay(_DecayByRate):
    """The learning rate divided by 1 + decay_rate * step / decay_steps."""

    name = "inverse_time_decay"

    decay_rate: float = arg(AT_LEAST_0, "increase of the divisor in decay_steps")
    decay_steps: float | None = arg(
        optional(POSITIVE_NUMBER), "steps in which the divisor grows by decay_rate; by default the run", None
    )

    def rate(self, base: float, clock: Clock) -> float:
        return _first(self, base) / (1 + self.decay_rate * self.periods(clock))


@declared
class PolynomialDecay(Schedule):
    """From the learning rate to end_learning_rate, in proportion to (1 - step / decay_steps) ^ power."""

    name = "polynomial_decay"

    decay_steps: float | None = arg(optional(POSITIVE_NUMBER), "length of the decay; by default the run", None)
    end_learning_rate: float = arg(AT_LEAST_0, "last learning rate", 0.0001)
    power: float = arg(AT_LEAST_0, "exponent; 1 is linear", 1.0)
    cycle: bool = arg(BOOLEAN, "restart, longer each time, instead of staying at the end", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        count, length = clock.elapsed(self.unit), self.decay_steps or clock.length(self.unit)
        if self.cycle:
            length *= math.ceil(count / length) or 1
        rest = 1 - min(count / length, 1.0)
        return float((_first(self, base) - self.end_learning_rate) * rest**self.power + self.end_learning_rate)


@declared
class CosineDecay(Schedule):
    """Half a cosine down to alpha times the learning rate, after a linear warm-up (Loshchilov & Hutter 2016)."""

    name = "cosine_decay"

    decay_steps: float | None = arg(
        optional(POSITIVE_NUMBER), "length of the decay; by default the run after the warm-up", None
    )
    alpha: float = arg(AT_LEAST_0, "last learning rate, as a share of the highest", 0.0)
    warmup_target: float | None = arg(
        optional(POSITIVE_NUMBER), "learning rate at the end of the warm-up; by default there is no warm-up", None
    )
    warmup_steps: float = arg(AT_LEAST_0, "length of the warm-up", 0)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        count, first = clock.elapsed(self.unit), _first(self, base)
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

    first_decay_steps: float = arg(POSITIVE_NUMBER, "length of the first cosine")
    t_mul: float = arg({"type": "number", "minimum": 1}, "length of each cosine relative to the one before", 2.0)
    m_mul: float = arg(POSITIVE_NUMBER, "initial learning rate of each cosine relative to the one before", 1.0)
    alpha: float = arg(AT_LEAST_0, "last learning rate, as a share of the first", 0.0)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        periods = clock.elapsed(self.unit) / self.first_decay_steps  # in lengths of the first
        if self.t_mul == 1:
            restarts = math.floor(periods)
            share = periods - restarts
        else:
            restarts = math.floor(math.log1p(periods * (self.t_mul - 1)) / math.log(self.t_mul) + 1e-9)
            begun = (self.t_mul**restarts - 1) / (self.t_mul - 1)
            share = (periods - begun) / self.t_mul**restarts
        cosine = float(self.m_mul) ** restarts * (1 + math.cos(math.pi * share)) / 2
        return _first(self, base) * ((1 - self.alpha) * cosine + self.alpha)


@declared
class PiecewiseConstantDecay(Schedule):
    """values[0] up to and including step boundaries[0], then values[1], and so on."""

    name = "piecewise_constant_decay"

    boundaries: tuple[float, ...] = arg(
        {"type": "array", "items": AT_LEAST_0, "minItems": 1}, "steps after which the learning rate changes"
    )
    values: tuple[float, ...] = arg(
        {"type": "array", "items": AT_LEAST_0, "minItems": 2}, "learning rates, one more than boundaries"
    )
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        return self.values[bisect_left(self.boundaries, clock.elapsed(self.unit))]


SCHEDULES: dict[str, type[Schedule]] = {
    each.name: each
    for each in (
        ConstantSchedule,
        StepSchedule,
        CosineSchedule,
        PlateauSchedule,
        ExponentialDecay,
        InverseTimeDecay,
        PolynomialDecay,
        PiecewiseConstantDecay,
        CosineDecay,
        CosineDecayRestarts,
    )
}
