"""Figures with a confidence interval by the bootstrap, and curves that are computed from ranks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
"""Of the images; fewer where these take too long."""
WORK = 200_000_000
"""Most values of all resamples together."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure, and its 95 % confidence interval: the percentiles of the bootstrap over images (Efron 1979)."""

    value: float | None
    """None where it is not defined, such as the recall of a class without images."""
    interval: tuple[float, float] | None
    """The bounds; None without a value."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"value": self.value, "interval": self.interval and list(self.interval)}

    def __str__(self) -> str:
        """`0.9312 (0.9021 to 0.9574)`."""
        if self.value is None:
            return "not defined"
        between = "" if self.interval is None else f" ({self.interval[0]:.4f} to {self.interval[1]:.4f})"
        return f"{self.value:.4f}{between}"


def estimate(count: int, figure: Callable[[Floats], float], *, width: int = 1, seed: int = 0) -> Estimate:
    """The figure of `count` images, and its interval.

    Args:
        figure: from the weight of each image, float64 (count,), to the figure; NaN where it is not defined. A weight
            is how often a resample has the image.
        width: values that the figure reads of an image, to bound the work.
    """
    value = figure(np.ones(count))
    if not np.isfinite(value):
        return Estimate(None, None)
    generator = np.random.default_rng(seed)
    times = int(np.clip(WORK // max(count * width, 1), 100, RESAMPLES))
    found = [figure(generator.multinomial(count, np.full(count, 1 / count)).astype(float)) for _ in range(times)]
    known = [each for each in found if np.isfinite(each)]
    low, high = np.percentile(known, (2.5, 97.5)) if known else (value, value)
    return Estimate(float(value), (float(low), float(high)))


class RankedScores:
    """The scores of one class, sorted once; images with equal scores are tied.

    Args:
        scores: (N,).
        positive: bool (N,), whether an image has the class.
    """

    def __init__(self, scores: npt.NDArray[np.float32], positive: npt.NDArray[Any]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        ordered = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(scores) else np.zeros(0, int)
        self._positive = positive[self._order].astype(float)

    def _groups(self, weights: Floats) -> tuple[Floats, Floats]:
        """The weights of positives and of negatives with each different score, from the largest."""
        own = weights[self._order]
        positives = np.add.reduceat(own * self._positive, self._starts)
        return positives, np.add.reduceat(own, self._starts) - positives

    def area_under_curve(self, weights: Floats) -> float:
        """The area under the ROC curve; ties count half. NaN without positives or without negatives."""
        positives, negatives = self._groups(weights)
        pairs = positives.sum() * negatives.sum()
        above = np.cumsum(positives) - positives
        return float((negatives * (above + positives / 2)).sum() / pairs) if pairs else float("nan")

    def average_precision(self, weights: Floats) -> float:
        """The sum over the different scores of precision times the growth of recall; NaN without positives."""
        positives, negatives = self._groups(weights)
        found, total = np.cumsum(positives), positives.sum()
        if not total:
            return float("nan")
        said = found + np.cumsum(negatives)
        return float((positives * found / np.where(said > 0, said, 1)).sum() / total)


def f1(true_positives: float, false_positives: float, false_negatives: float) -> float:
    """The harmonic mean of precision and recall; NaN where neither is defined."""
    total = 2 * true_positives + false_positives + false_negatives
    return 2 * true_positives / total if total else float("nan")
