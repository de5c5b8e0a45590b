"""Learning rate schedules: the short forms of papers, and Keras's schedules.

Every schedule is a function of a Clock, so that learning rates are known before anything is built; only
`plateau` depends on metrics.
"""

from __future__ import annotations

import math
from bisect import bisect_right

from archspec.declare import POSITIVE_NUMBER, arg, declared
from archspec.lang.recipes.bounds import AT_LEAST_0, SHARE
from archspec.lang.recipes.keras_schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from archspec.lang.recipes.monitor import MIN_DELTA, MODE, MONITOR, PATIENCE
from archspec.lang.recipes.schedule import Clock, Schedule

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
    factor: float = arg(
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "factor of the learning rate", 0.1
    )
    patience: int = arg(PATIENCE, "epochs without improvement before the learning rate drops", 10)
    mode: str = MODE
    min_delta: float = arg(MIN_DELTA, "smallest change that counts as an improvement", 1e-4)
    cooldown: int = arg(PATIENCE, "epochs after a drop that are ignored", 0)
    min_lr: float = arg(AT_LEAST_0, "lower bound of the learning rate", 0.0)


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
