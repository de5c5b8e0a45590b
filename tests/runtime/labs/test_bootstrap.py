"""The bootstrap of paired differences against SciPy and against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from archspec.runtime.labs.bootstrap import BootstrapInterval, combined, of_seeds, paired_difference
from archspec.runtime.labs.result import judged, overall


def test_images_of_one_seed_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(300) < 0.9, rng.random(300) < 0.8
    found = paired_difference([first], [second])
    differences = first.astype(float) - second
    expected = stats.bootstrap((differences,), np.mean, method="percentile", n_resamples=10_000, rng=1)
    low, high = expected.confidence_interval
    assert found.value == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.008)


def test_seeds_and_images_agree_with_loops_over_the_definition() -> None:
    """Draw the seeds, then the images of each drawn seed, the same ones for both arms."""
    rng = np.random.default_rng(1)
    first = rng.random((4, 80)) < np.array([[0.9], [0.7], [0.8], [0.95]])
    second = rng.random((4, 80)) < 0.7
    found = paired_difference(first, second)
    drawn = []
    for _ in range(3000):
        means = []
        for seed in rng.integers(4, size=4):
            images = rng.integers(80, size=80)
            means.append(first[seed, images].mean() - second[seed, images].mean())
        drawn.append(np.mean(means))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.015)


def test_figures_of_seeds_agree_with_scipy() -> None:
    figures = np.array([3.0, 5.0, 4.0, 8.0, 6.0])
    found = of_seeds(figures)
    low, high = stats.bootstrap((figures,), np.mean, method="percentile", n_resamples=10_000, rng=1).confidence_interval
    assert found.value == pytest.approx(figures.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1)


def test_the_ratio_of_two_arms_pairs_their_seeds() -> None:
    """Twice as long in every seed is exactly twice, however much the seeds differ."""
    found = of_seeds([[2.0, 20.0, 200.0], [1.0, 10.0, 100.0]], lambda drawn: drawn[0].mean(-1) / drawn[1].mean(-1))
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))


@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 2**31))
def test_swapped_arms_have_the_opposite_difference(seeds: int, images: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.random((seeds, images)) < 0.5, rng.random((seeds, images)) < 0.5
    one = paired_difference(first, second, resamples=50)
    other = paired_difference(second, first, resamples=50)
    assert one.value == pytest.approx(-other.value)
    assert -1 <= one.low <= one.high <= 1


def test_equal_arms_have_no_difference_and_no_width() -> None:
    correct = np.random.default_rng(0).random((3, 50)) < 0.7
    found = paired_difference(correct, correct)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_parts_add_up() -> None:
    rng = np.random.default_rng(2)
    train, test = [rng.normal(1, 1, 400)], [rng.normal(-0.25, 1, 100)]
    found = combined([train, test])
    spread = np.sqrt(np.var(train) / 400 + np.var(test) / 100)
    assert found.value == pytest.approx(np.mean(train) + np.mean(test))
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize(
    ("low", "high", "expect", "margin", "verdict"),
    [
        (0.01, 0.09, "higher", 0, "reproduced"),
        (0.01, 0.09, "higher", 2, "not seen at this scale"),
        (-0.01, 0.09, "higher", 0, "not seen at this scale"),
        (-0.09, -0.01, "higher", 0, "opposite"),
        (-0.09, -0.01, "lower", 0, "reproduced"),
        (0.01, 0.09, "lower", 0, "opposite"),
        (-0.01, 0.019, "equal", 2, "reproduced"),
        (-0.01, 0.03, "equal", 2, "not seen at this scale"),
        (0.03, 0.05, "equal", 2, "opposite"),
        (-0.01, 0.05, "no lower", 2, "reproduced"),
        (-0.03, 0.05, "no lower", 2, "not seen at this scale"),
        (-0.05, -0.03, "no lower", 2, "opposite"),
    ],
)
def test_the_verdict_follows_from_the_interval(
    low: float, high: float, expect: str, margin: float, verdict: str
) -> None:
    interval = BootstrapInterval((low + high) / 2, low, high)
    assert judged("A - B", "points", interval, expect, margin, 100.0).verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(2.5, 4, "reproduced"), (1.5, 4, "not seen at this scale"), (0.5, 0.9, "opposite")],
)
def test_a_ratio_below_one_is_the_opposite(low: float, high: float, verdict: str) -> None:
    assert judged("A / B", "times", BootstrapInterval(low, low, high), "ratio", 2).verdict == verdict


def test_one_opposite_difference_decides() -> None:
    assert overall(["reproduced", "reproduced"]) == "reproduced"
    assert overall(["reproduced", "not seen at this scale"]) == "not seen at this scale"
    assert overall(["reproduced", "opposite", "not seen at this scale"]) == "opposite"
