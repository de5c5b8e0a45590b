"""A figure of an evaluation, for tables of several evaluations."""

from __future__ import annotations

from typing import NamedTuple

from archspec.runtime.evaluation.estimate import Estimate


class Metric(NamedTuple):
    """A figure with its interval, for tables."""

    name: str
    """In CSV: `auc`; its bounds are `auc_low` and `auc_high`."""
    heading: str
    value: float | None
    interval: tuple[float, float] | None = None
    percent: bool = False

    @classmethod
    def of(cls, name: str, heading: str, found: Estimate) -> Metric:
        return cls(name, heading, found.value, found.interval)

    def __str__(self) -> str:
        """`93.12 (90.21 to 95.74)`, as the heading names the unit."""
        if self.value is None:
            return ""
        factor, digits = (100, 2) if self.percent else (1, 4)
        text = f"{factor * self.value:.{digits}f}"
        if self.interval is None:
            return text
        low, high = self.interval
        return f"{text} ({factor * low:.{digits}f} to {factor * high:.{digits}f})"
