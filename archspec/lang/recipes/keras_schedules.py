"""Keras's learning rate schedules, with Keras's names and arguments; a test compares them with Keras's own.

`initial_learning_rate` and the length of a decay may be left out; `unit` is the unit of steps and boundaries.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from archspec.declare import BOOLEAN, POSITIVE_NUMBER, arg, choice, declared
from archspec.lang.recipes.bounds import AT_LEAST_0, optional
from archspec.lang.recipes.schedule import Clock, Schedule

COUNTED = arg(choice("iterations", "epochs"), "unit of steps and boundaries", "iterations")
INITIAL: Any = arg(optional(AT_LEAST_0), "the first learning rate; by default that of the optimizer", None)


@declared
class ExponentialDecay(Schedule):
    """The learning rate times decay_rate ^ (step / decay_steps)."""

    name = "exponential_decay"

    decay_rate: float = arg(POSITIVE_NUMBER, "the factor")
    decay_steps: float | None = arg(
        optional(POSITIVE_NUMBER),
        "steps after which the learning rate is multiplied by decay_rate; by default the run",
        None,
    )
    staircase: bool = arg(BOOLEAN, "change the learning rate only at multiples of decay_steps", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        periods = clock.count(self.unit) / (self.decay_steps or clock.length(self.unit))
        return float(
            _first(self, base) * float(self.decay_rate) ** (math.floor(periods) if self.staircase else periods)
        )


@declared
class InverseTimeDecay(Schedule):
    """The learning rate divided by 1 + decay_rate * step / decay_steps."""

    name = "inverse_time_decay"

    decay_rate: float = arg(AT_LEAST_0, "increase of the divisor in decay_steps")
    decay_steps: float | None = arg(
        optional(POSITIVE_NUMBER), "steps in which the divisor grows by decay_rate; by default the run", None
    )
    staircase: bool = arg(BOOLEAN, "change the learning rate only at multiples of decay_steps", False)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        periods = clock.count(self.unit) / (self.decay_steps or clock.length(self.unit))
        return _first(self, base) / (1 + self.decay_rate * (math.floor(periods) if self.staircase else periods))


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
        count, length = clock.count(self.unit), self.decay_steps or clock.length(self.unit)
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

    first_decay_steps: float = arg(POSITIVE_NUMBER, "length of the first cosine")
    t_mul: float = arg({"type": "number", "minimum": 1}, "length of each cosine relative to the one before", 2.0)
    m_mul: float = arg(POSITIVE_NUMBER, "initial learning rate of each cosine relative to the one before", 1.0)
    alpha: float = arg(AT_LEAST_0, "last learning rate, as a share of the first", 0.0)
    initial_learning_rate: float | None = INITIAL
    unit: str = COUNTED

    def rate(self, base: float, clock: Clock) -> float:
        periods = clock.count(self.unit) / self.first_decay_steps  # in lengths of the first
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
        return self.values[bisect_left(self.boundaries, clock.count(self.unit))]


def _first(schedule: Any, base: float) -> float:
    given: float | None = schedule.initial_learning_rate
    return base if given is None else given
