"""The result of an evaluation: error rates, loss and confusion matrix of softmax outputs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.evaluation.metrics import ErrorRate, cross_entropy, ranks
from archspec.runtime.evaluation.predictions import Predictions


@dataclass(frozen=True)
class ClassAccuracy:
    """The images of one class: how many were classified correctly, in the top 1 and in the top 5."""

    name: str
    images: int
    correct: int
    correct_top5: int | None = None
    """None for five classes or fewer."""

    @property
    def accuracy(self) -> float | None:
        """A share from 0 to 1; None for a class without images."""
        return self.correct / self.images if self.images else None

    @property
    def error(self) -> ErrorRate:
        """The top-1 error."""
        return ErrorRate(self.images - self.correct, self.images)

    @property
    def top5_error(self) -> ErrorRate | None:
        """None for five classes or fewer."""
        return None if self.correct_top5 is None else ErrorRate(self.images - self.correct_top5, self.images)


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a model, or of an ensemble, under a protocol. Rates and accuracies are shares from 0 to 1."""

    predictions: Predictions = field(repr=False)
    """The softmax outputs, the labels and the names of the images."""

    @property
    def model(self) -> str:
        """The model file; the files of an ensemble are joined by ` + `."""
        return joined(self.predictions.models)

    @property
    def protocol(self) -> str:
        """The protocol as written in a spec; several protocols of an ensemble are joined by ` + `."""
        return joined(self.predictions.protocols)

    @property
    def scales(self) -> str:
        """Smallest sides of the rescaled images, pixels: `224, 256, 288`."""
        return joined(self.predictions.scales)

    @property
    def members(self) -> int:
        """Number of softmax outputs that were averaged, each of one model under one protocol."""
        return len(self.predictions.models)

    @property
    def data(self) -> str:
        """The data source."""
        return self.predictions.data

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.predictions)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the network's outputs."""
        return self.predictions.class_names

    @property
    def passes(self) -> int:
        """Forward passes for an image."""
        return self.predictions.passes

    @property
    def images_per_second(self) -> float | None:
        """Throughput of reading, preprocessing and the network after the first batch; None for saved predictions."""
        return self.predictions.images_per_second

    @cached_property
    def _ranks(self) -> npt.NDArray[np.int64]:
        return ranks(self.predictions.posteriors, self.predictions.labels)

    @cached_property
    def loss(self) -> float:
        """Mean cross-entropy of the averaged softmax outputs, nats, without label smoothing."""
        return cross_entropy(self.predictions.posteriors, self.predictions.labels)

    @property
    def top1_error(self) -> ErrorRate:
        """Share of images whose most likely class is not the true one."""
        return ErrorRate(int((self._ranks >= 1).sum()), self.images)

    @property
    def top5_error(self) -> ErrorRate | None:
        """Share of images whose true class is not among the five most likely; None for five classes or fewer."""
        return ErrorRate(int((self._ranks >= 5).sum()), self.images) if len(self.class_names) > 5 else None

    @property
    def top1(self) -> float:
        """Top-1 accuracy."""
        return 1 - self.top1_error.wrong / self.images

    @property
    def top5(self) -> float | None:
        """Top-5 accuracy; None for five classes or fewer."""
        return None if self.top5_error is None else 1 - self.top5_error.wrong / self.images

    @cached_property
    def confusion(self) -> npt.NDArray[np.int64]:
        """(classes, classes): number of images of the row's class that were predicted as the column's class."""
        matrix = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(matrix, (self.predictions.labels, self.predictions.posteriors.argmax(axis=1)), 1)
        return matrix

    @property
    def classes(self) -> tuple[ClassAccuracy, ...]:
        """The accuracy of each class."""
        found = []
        for number, name in enumerate(self.class_names):
            of_class = self._ranks[self.predictions.labels == number]
            correct_top5 = int((of_class < 5).sum()) if len(self.class_names) > 5 else None
            found.append(ClassAccuracy(name, len(of_class), int((of_class < 1).sum()), correct_top5))
        return tuple(found)

    def to_json(self, *, confusion: bool = True) -> dict[str, Any]:
        """Plain values; the confusion matrix as a list of rows."""
        members = zip(self.predictions.models, self.predictions.protocols, self.predictions.scales, strict=True)
        top5, speed = self.top5_error, self.images_per_second
        return {
            "model": self.model,
            "data": self.data,
            "protocol": self.protocol,
            "members": [dict(zip(("model", "protocol", "scales"), each, strict=True)) for each in members],
            "images": self.images,
            "passes": self.passes,
            "loss": self.loss,
            "top1": self.top1,
            "top5": self.top5,
            "top1_error": self.top1_error.to_json(),
            "top5_error": top5 and top5.to_json(),
            "images_per_second": speed and round(speed, 4),
            "classes": [
                {**dataclasses.asdict(each), "accuracy": each.accuracy, "error": each.error.to_json()}
                for each in self.classes
            ],
            **({"confusion": self.confusion.tolist()} if confusion else {}),
        }


def joined(texts: tuple[str, ...]) -> str:
    """Each different text once, with ` + ` between them."""
    return " + ".join(dict.fromkeys(texts))
