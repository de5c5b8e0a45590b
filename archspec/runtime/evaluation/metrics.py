"""Error rates with confidence intervals, ranks and cross-entropy of softmax outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.models.metrics import ranked_behind

Z = 1.959963984540054
"""The two-sided 95 % point of the normal distribution."""


@dataclass(frozen=True)
class ErrorRate:
    """`wrong` errors among `total` images."""

    wrong: int
    total: int

    @property
    def rate(self) -> float | None:
        """A share from 0 to 1; None without images."""
        return self.wrong / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of Wilson (1927), shares from 0 to 1; (0, 1) without images.

        (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
        """
        if not self.total:
            return 0.0, 1.0
        p, n, square = self.wrong / self.total, self.total, Z * Z
        middle = p + square / (2 * n)
        half = Z * math.sqrt(p * (1 - p) / n + square / (4 * n * n))
        # the bounds at 0 and 1 are exact, but rounding would miss them
        low = 0.0 if self.wrong == 0 else (middle - half) / (1 + square / n)
        return low, 1.0 if self.wrong == self.total else (middle + half) / (1 + square / n)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"wrong": self.wrong, "images": self.total, "rate": self.rate, "interval": list(self.interval)}

    def __str__(self) -> str:
        """`1.78 % (0.82 to 3.83)`."""
        if self.rate is None:
            return "no images"
        low, high = self.interval
        return f"{100 * self.rate:.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def ranks(posteriors: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Rank of the true class among all classes, (N, classes) and (N,) -> (N,), as `models.metrics.ranks`.

    An image is correct in the top k if its rank is below k.
    """
    true = posteriors[np.arange(len(labels)), labels]
    behind = ranked_behind(posteriors, true, labels, np.arange(posteriors.shape[1]))
    found: npt.NDArray[np.int64] = posteriors.shape[1] - 1 - behind.sum(axis=1)
    return found


def cross_entropy(posteriors: npt.NDArray[np.float32], labels: npt.NDArray[np.int32]) -> float:
    """Mean of -log p(true class), nats. A posterior that underflows float32 counts as the smallest one, 87 nats."""
    true = posteriors[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, np.finfo(np.float32).tiny)).mean())
