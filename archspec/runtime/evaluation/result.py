"""The result of an evaluation: error rates with confidence intervals, loss and confusion matrix."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted
from archspec.runtime.evaluation.metric import Metric
from archspec.runtime.evaluation.predictions import Predictions
from archspec.runtime.models.metrics import ranked_behind
from archspec.runtime.system.png import Png

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
    """Metrics of a model, or of an ensemble, under a protocol. Rates and accuracies are shares from 0 to 1.

    Its subclasses are those of other targets than one of several classes: `BinaryEvaluation`, ...
    """

    predictions: Predictions = field(repr=False)
    """The softmax outputs, the labels and the names of the images."""
    loss_name: ClassVar[str] = "cross-entropy"
    has_confusion: ClassVar[bool] = True
    """Whether an image has one class, so that there is a confusion matrix."""

    def __repr__(self) -> str:
        return f"<Evaluation: {self}>"

    def __str__(self) -> str:
        """`runs/a on digits: top-1 error 3.11 % (...) of 450 images, center`."""
        images = counted(self.images, "image")
        if self.kind == "classes" and not self.output:
            return f"{self.model} on {self.data}: top-1 error {self.top1_error} of {images}, {self.protocol}"
        main = self.metrics[0]
        output = f"{self.output} " if self.output else ""
        return f"{self.model} on {self.data}: {output}{main.heading} {main} of {images}, {self.protocol}"

    @property
    def kind(self) -> str:
        """What the output is trained on: `classes`, `binary`, `multi-label` or `numbers`."""
        return self.predictions.kind

    @property
    def output(self) -> str:
        """The name of the output, of a network with several targets; else ""."""
        return self.predictions.output

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
        np.add.at(matrix, (self.predictions.labels, self.decisions), 1)
        return matrix

    @cached_property
    def decisions(self) -> npt.NDArray[np.int64]:
        """int (N,), the predicted class of each image."""
        found: npt.NDArray[np.int64] = self.predictions.posteriors.argmax(axis=1)
        return found

    def draw_confusion(self) -> Png:
        """The confusion matrix as a picture: rows are true classes, shades are shares of the row."""
        from archspec.runtime.evaluation.confusion_plot import confusion_png

        return Png(f"confusion matrix of {self.model}", confusion_png(self))

    @property
    def classes(self) -> tuple[ClassAccuracy, ...]:
        """The accuracy of each class."""
        found = []
        for number, name in enumerate(self.class_names):
            of_class = self._ranks[self.predictions.labels == number]
            correct_top5 = int((of_class < 5).sum()) if len(self.class_names) > 5 else None
            found.append(ClassAccuracy(name, len(of_class), int((of_class < 1).sum()), correct_top5))
        return tuple(found)

    # ---- what reports say of the target --------------------------------------------------------------------------

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The figures for tables, the main one first."""
        rates = [("top1_error", "top-1 error (%)", self.top1_error), ("top5_error", "top-5 error (%)", self.top5_error)]
        found = [Metric(name, heading, rate.rate, rate.interval, percent=True) for name, heading, rate in rates if rate]
        return (*found, Metric("loss", "loss", self.loss))

    def lines(self) -> list[str]:
        """The figures as lines of text."""
        top5 = "" if self.top5_error is None else f", top-5 error {self.top5_error}"
        return [
            f"top-1 error {self.top1_error}{top5}; 95 % confidence intervals in parentheses",
            f"accuracy {100 * self.top1:.2f} %",
        ]

    def class_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and rows of classes.csv."""
        rows: list[list[object]] = [
            [each.name, each.images, each.error.rate, *each.error.interval, each.top5_error and each.top5_error.rate]
            for each in self.classes
        ]
        return ["class", "images", "top1_error", "low", "high", "top5_error"], rows

    def image_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and a row of images.csv for each image: its true class, and at most five most probable classes."""
        found, names = self.predictions, self.class_names
        top = min(5, len(names))
        best = np.argsort(-found.posteriors, axis=1, kind="stable")[:, :top]
        columns = [f"{what}_{rank}" for rank in range(1, top + 1) for what in ("class", "probability")]
        rows: list[list[object]] = []
        for image, label, classes, row in zip(found.images, found.labels, best, found.posteriors, strict=True):
            probable = [each for number in classes for each in (names[number], f"{row[number]:.6g}")]
            rows.append([image, names[label], names[classes[0]], str(bool(classes[0] == label)).lower(), *probable])
        return ["path", "label", "prediction", "correct", *columns], rows

    def figures(self) -> dict[str, Any]:
        """Figures of the target for `to_json`, beside the error rates of classes."""
        return {}

    def to_json(self, *, confusion: bool = True) -> dict[str, Any]:
        """Plain values; the confusion matrix as a list of rows."""
        if self.kind != "classes" or self.output:
            return self._of_target(confusion=confusion)
        return self._of_classes(confusion=confusion)

    def _of_target(self, *, confusion: bool) -> dict[str, Any]:
        found = self._of_classes(confusion=confusion) if self.has_confusion else self._described()
        return {**found, "output": self.output, "target": self.kind, **self.figures()}

    def _described(self) -> dict[str, Any]:
        members = zip(self.predictions.models, self.predictions.protocols, self.predictions.scales, strict=True)
        speed = self.images_per_second
        return {
            "model": self.model,
            "data": self.data,
            "protocol": self.protocol,
            "members": [dict(zip(("model", "protocol", "scales"), each, strict=True)) for each in members],
            "images": self.images,
            "passes": self.passes,
            "loss": self.loss,
            "images_per_second": speed and round(speed, 4),
        }

    def _of_classes(self, *, confusion: bool) -> dict[str, Any]:
        return {
            **self._described(),
            "top1": self.top1,
            "top5": self.top5,
            "top1_error": self.top1_error.to_json(),
            "top5_error": self.top5_error and self.top5_error.to_json(),
            "classes": [
                {**dataclasses.asdict(each), "accuracy": each.accuracy, "error": each.error.to_json()}
                for each in self.classes
            ],
            **({"confusion": self.confusion.tolist()} if confusion else {}),
        }


def joined(texts: tuple[str, ...]) -> str:
    """Each different text once, with ` + ` between them."""
    return " + ".join(dict.fromkeys(texts))
