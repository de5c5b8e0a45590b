"""The images of an evaluation to look at first: the most confident mistakes, and those between two confused classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archspec.runtime.evaluation.predictions import Predictions


@dataclass(frozen=True)
class JudgedImage:
    """One image of an evaluation, and what the network says."""

    row: int
    """Its position in the predictions."""
    file: str
    """Its path, or its row number in an array."""
    label: str
    """The true class."""
    prediction: str
    """The most probable class."""
    probability: float
    """Of the prediction."""
    label_probability: float
    """Of the true class."""

    @property
    def is_correct(self) -> bool:
        """Whether the prediction is the true class."""
        return self.prediction == self.label


@dataclass(frozen=True)
class ConfusedClasses:
    """Two classes that the network takes for each other, and the images between which it can hardly decide."""

    classes: tuple[str, str]
    """In the order of the network's outputs."""
    mistakes: tuple[int, int]
    """How many images of the first class were predicted as the second, and of the second as the first."""
    images: tuple[JudgedImage, ...]
    """The images of both with the smallest differences between the two probabilities, correct or not."""


def confident_mistakes(predictions: Predictions, count: int = 16) -> tuple[JudgedImage, ...]:
    """The misclassified images with the most probable predictions, the most probable first."""
    predicted = predictions.posteriors.argmax(axis=1)
    wrong = np.flatnonzero(predicted != predictions.labels)
    sure = predictions.posteriors[wrong, predicted[wrong]]
    return _judged(predictions, wrong[np.argsort(-sure, kind="stable")[:count]])


def confused_classes(predictions: Predictions, pairs: int = 8, images: int = 6) -> tuple[ConfusedClasses, ...]:
    """The pairs of classes with the most mistakes in both directions, the most first, and their least sure images.

    An image belongs to a pair if its true class and its prediction are of the two.

    Args:
        pairs: the largest number of pairs.
        images: the largest number of images for each pair.
    """
    posteriors, labels = predictions.posteriors, predictions.labels.astype(np.int64)
    names, classes, predicted = predictions.class_names, len(predictions.class_names), posteriors.argmax(axis=1)
    pair_of_image = np.minimum(labels, predicted) * classes + np.maximum(labels, predicted)
    keys, counts = np.unique(pair_of_image[labels != predicted], return_counts=True)
    found = []
    for key in keys[np.argsort(-counts, kind="stable")[:pairs]]:
        one, other = divmod(int(key), classes)
        rows = np.flatnonzero(np.isin(labels, (one, other)) & np.isin(predicted, (one, other)))
        margins = np.abs(posteriors[rows, one] - posteriors[rows, other])
        mistakes = tuple(int(((labels == a) & (predicted == b)).sum()) for a, b in ((one, other), (other, one)))
        judged = _judged(predictions, rows[np.argsort(margins, kind="stable")[:images]])
        found.append(ConfusedClasses((names[one], names[other]), (mistakes[0], mistakes[1]), judged))
    return tuple(found)


def _judged(predictions: Predictions, rows: Sequence[int] | npt.NDArray[np.int64]) -> tuple[JudgedImage, ...]:
    found = []
    for row in map(int, rows):
        label, predicted = int(predictions.labels[row]), int(predictions.posteriors[row].argmax())
        names, probabilities = predictions.class_names, predictions.posteriors[row]
        found.append(
            JudgedImage(
                row,
                predictions.images[row],
                names[label],
                names[predicted],
                float(probabilities[predicted]),
                float(probabilities[label]),
            )
        )
    return tuple(found)
