"""Error rates and their intervals, against those of Newcombe 1998 ("Two-sided confidence intervals ...")."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.runtime.evaluation.result import ErrorRate, cross_entropy, ranks


@pytest.mark.parametrize(
    ("wrong", "total", "low", "high"),  # its Table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_wilson(wrong: int, total: int, low: float, high: float) -> None:
    assert ErrorRate(wrong, total).interval == pytest.approx((low, high), abs=5e-5)


@given(total=st.integers(1, 60_000), share=st.floats(0, 1))
def test_the_interval_holds_the_rate_and_mirrors(total: int, share: float) -> None:
    wrong = round(share * total)
    low, high = ErrorRate(wrong, total).interval
    assert 0 <= low <= wrong / total <= high <= 1
    other_low, other_high = ErrorRate(total - wrong, total).interval
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=1e-9)


def test_nothing_tells_nothing() -> None:
    nothing = ErrorRate(0, 0)
    assert (nothing.rate, nothing.interval, str(nothing)) == (None, (0.0, 1.0), "no images")


def test_ranks_by_hand() -> None:
    posteriors = np.array(
        [[0.2, 0.5, 0.3], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [math.nan] * 3], np.float32
    )
    labels = np.array([1, 0, 0, 1, 0], np.int32)
    assert ranks(posteriors, labels).tolist() == [0, 2, 0, 1, 2]  # of equals the earlier first; a NaN is never right


def test_cross_entropy_by_hand() -> None:
    posteriors = np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)
    assert cross_entropy(posteriors, np.array([0, 0], np.int32)) == pytest.approx((math.log(2) + math.log(4)) / 2)
    assert math.isfinite(cross_entropy(np.array([[0, 1]], np.float32), np.array([0], np.int32)))
