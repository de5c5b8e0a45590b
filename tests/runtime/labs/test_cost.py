"""The cost lab: ranks against SciPy, and which networks are compared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from archspec.runtime.labs.experiments.cost import NetworkCost, last_points, rank_correlation


@pytest.mark.parametrize("ties", [False, True])
def test_the_rank_correlation_agrees_with_scipy(ties: bool) -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=20), random.normal(size=20)
    if ties:
        first, second = np.round(first), np.round(second)
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


def test_the_last_points_compare_the_best_with_the_fastest_near_it() -> None:
    costs = [
        NetworkCost("poor", 30.0, 1, 1, 0.1),
        NetworkCost("near", 51.0, 1, 1, 0.4),
        NetworkCost("slower", 55.0, 1, 1, 0.5),
        NetworkCost("best", 60.0, 1, 1, 2.0),
    ]
    best, near = last_points(costs)
    assert (best.name, near.name) == ("best", "near")
