"""Paired differences with bootstrap intervals: test images are resampled within each seed, then seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
LEVEL = 0.95
"""Of the intervals."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class BootstrapInterval:
    """An estimate and its 95 % percentile interval (Efron 1979)."""

    value: float
    low: float
    high: float


def paired_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0
) -> BootstrapInterval:
    """The mean of first - second, both (seeds, images): correct answers as booleans, or any figure of each image.

    Each resample draws the seeds with replacement, and for each drawn seed its images with replacement, the same ones
    for both. With one seed only the images are resampled.
    """
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return combined([list(differences)], resamples=resamples, seed=seed)


def combined(parts: Sequence[Sequence[Floats]], *, resamples: int = RESAMPLES, seed: int = 0) -> BootstrapInterval:
    """The sum of the means of several parts, such as the accuracy on two sets of images.

    Args:
        parts: of each part, one array of images for each seed. The images of a part are resampled on their own, the
            seeds together.
    """
    rng = np.random.default_rng(seed)
    seeds = len(parts[0])
    drawn = rng.integers(seeds, size=(resamples, seeds))
    total = np.zeros((resamples, seeds))
    for part in parts:
        for number, images in enumerate(part):
            chosen = drawn == number
            total[chosen] += _resampled_means(np.asarray(images, np.float64), int(chosen.sum()), rng)
    value = sum(float(np.mean([np.mean(images) for images in part])) for part in parts)
    return _interval(value, total.mean(axis=1))


def of_seeds(
    figures: npt.ArrayLike,
    statistic: Callable[[Floats], Floats] = lambda drawn: drawn.mean(axis=-1),
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> BootstrapInterval:
    """For figures of whole runs, (seeds,) or (arms, seeds): only the seeds are resampled.

    Args:
        statistic: of the resampled figures, whose last axis is the seeds: (..., resamples, seeds) -> (resamples,).
    """
    figures = np.asarray(figures, np.float64)
    seeds = figures.shape[-1]
    drawn = np.random.default_rng(seed).integers(seeds, size=(resamples, seeds))
    value = float(statistic(figures[..., None, :])[0])
    return _interval(value, statistic(figures[..., drawn]))


def _resampled_means(images: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Means of `count` resamples of the images. Equal values are drawn together, from the multinomial distribution."""
    values, frequencies = np.unique(images, return_counts=True)
    draws = rng.multinomial(len(images), frequencies / len(images), size=count)
    means: Floats = draws @ values / len(images)
    return means


def _interval(value: float, resampled: Floats) -> BootstrapInterval:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return BootstrapInterval(value, float(low), float(high))
