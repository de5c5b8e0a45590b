"""The images that a network finds hard: its most confident mistakes, and those between two classes it is least sure of.

Rows are indices of `Predictions.images`. Of equal images the first one in the data comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archspec.runtime.evaluation.predictions import Predictions

Rows = npt.NDArray[np.int64]
BLOCK = 4096
"""Images whose posteriors are copied at a time."""


@dataclass(frozen=True)
class ConfusedPair:
    """Two classes that are taken for each other."""

    first: int
    """The class with the smaller index."""
    second: int
    """The other class."""
    first_as_second: int
    """Number of images of `first` that were predicted as `second`."""
    second_as_first: int
    """Number of images of `second` that were predicted as `first`."""
    least_sure: Rows
    """The images of both classes whose two most probable classes are these, the smallest margin first."""

    @property
    def confusions(self) -> int:
        """Number of images of one class that were predicted as the other."""
        return self.first_as_second + self.second_as_first


def most_confident_mistakes(predictions: Predictions, count: int) -> Rows:
    """The wrong predictions with the highest probability, at most `count`, the most confident one first."""
    predicted = predictions.posteriors.argmax(axis=1)
    wrong = np.flatnonzero(predicted != predictions.labels)
    confidence = predictions.posteriors[wrong, predicted[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")[:count]]


def least_sure(predictions: Predictions, count: int) -> Rows:
    """The images with the smallest margin, the difference of the two highest probabilities; at most `count`."""
    _, _, margin = top_two(predictions)
    return np.argsort(margin, kind="stable")[:count]


def confused_pairs(predictions: Predictions, pairs: int, count: int) -> tuple[ConfusedPair, ...]:
    """The pairs of classes that are confused most often, at most `pairs`, with their least sure images.

    Args:
        count: the most images of a pair.
    """
    first, second, margin = top_two(predictions)
    labels = predictions.labels.astype(np.int64)
    wrong = np.flatnonzero(first != labels)
    confused = np.stack([labels[wrong], first[wrong]], 1)
    found, times = np.unique(np.sort(confused, axis=1), axis=0, return_counts=True)
    kept = []
    for (low, high), _ in sorted(zip(found.tolist(), times.tolist(), strict=True), key=lambda each: -each[1])[:pairs]:
        of_pair = (
            np.isin(labels, (low, high)) & (np.minimum(first, second) == low) & (np.maximum(first, second) == high)
        )
        rows = np.flatnonzero(of_pair)
        rows = rows[np.argsort(margin[rows], kind="stable")[:count]]
        as_second = int(((confused[:, 0] == low) & (confused[:, 1] == high)).sum())
        as_first = int(((confused[:, 0] == high) & (confused[:, 1] == low)).sum())
        kept.append(ConfusedPair(low, high, as_second, as_first, rows))
    return tuple(kept)


def top_two(predictions: Predictions) -> tuple[Rows, Rows, npt.NDArray[np.float32]]:
    """The most probable class of each image, the second one, and the difference of their probabilities: (N,) each."""
    posteriors = predictions.posteriors
    every = np.arange(len(posteriors))
    first, second = posteriors.argmax(axis=1), np.empty(len(posteriors), np.int64)
    for start in range(0, len(posteriors), BLOCK):
        block = posteriors[start : start + BLOCK].copy()
        block[np.arange(len(block)), first[start : start + BLOCK]] = -1
        second[start : start + BLOCK] = block.argmax(axis=1)
    return first, second, posteriors[every, first] - posteriors[every, second]
