"""The evaluation of a network that gives an image any number of labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from archspec.runtime.evaluation.estimate import Estimate, Floats, RankedScores, estimate, f1
from archspec.runtime.evaluation.metric import Metric
from archspec.runtime.evaluation.result import Evaluation


@dataclass(frozen=True)
class LabelAccuracy:
    """One label: how many images have it, and how well it is found."""

    name: str
    """Of the label."""
    images: int
    """Images that have it."""
    average_precision: float | None
    """None without such images."""
    auc: float | None
    """The area under the ROC curve; None where all images have the label, or none has it."""
    precision: float | None
    """At the threshold; None where no image is given the label."""
    recall: float | None
    """At the threshold; None without images of the label."""
    f1: float | None
    """At the threshold."""


class MultiLabelEvaluation(Evaluation):
    """Metrics of a network with a sigmoid unit for each label. Its top-1 error counts images with any wrong label."""

    loss_name = "binary cross-entropy"
    has_confusion: ClassVar[bool] = False

    @property
    def threshold(self) -> float:
        """The least probability of a label that is a decision for it."""
        return self.predictions.threshold

    @cached_property
    def decisions(self) -> npt.NDArray[np.int64]:
        """int (N, labels): 1 for the labels that an image is given."""
        return np.asarray(self.predictions.posteriors >= np.float32(self.threshold), np.int64)

    @cached_property
    def _true(self) -> npt.NDArray[np.bool_]:
        return self.predictions.labels > 0.5

    @cached_property
    def _ranks(self) -> npt.NDArray[np.int64]:
        return np.asarray((self.decisions != self._true).any(axis=1), np.int64)

    @cached_property
    def loss(self) -> float:
        """Mean over images and labels of the binary cross-entropy, nats."""
        likely = np.where(self._true, self.predictions.posteriors, 1 - self.predictions.posteriors).astype(np.float64)
        return float(-np.log(np.maximum(likely, np.finfo(np.float32).tiny)).mean())

    @cached_property
    def _scores(self) -> list[RankedScores]:
        found = self.predictions.posteriors
        return [RankedScores(found[:, label], self._true[:, label]) for label in range(found.shape[1])]

    @cached_property
    def mean_average_precision(self) -> Estimate:
        """The mean over the labels that an image has of their average precision (mAP)."""

        def figure(weights: Floats) -> float:
            each = np.array([scores.average_precision(weights) for scores in self._scores])
            known = each[np.isfinite(each)]
            return float(known.mean()) if len(known) else float("nan")

        return estimate(self.images, figure, width=len(self._scores))

    @cached_property
    def micro_f1(self) -> Estimate:
        """F1 of the decisions on all labels together."""
        said, true = self.decisions == 1, self._true
        sums = [(said & true).sum(axis=1), (said & ~true).sum(axis=1), (~said & true).sum(axis=1)]
        return estimate(self.images, lambda weights: f1(*(float(weights @ each) for each in sums)))

    @cached_property
    def macro_f1(self) -> Estimate:
        """The mean over the labels of their F1."""
        said, true = self.decisions == 1, self._true
        cells = [(said & true).astype(float), (said & ~true).astype(float), (~said & true).astype(float)]

        def figure(weights: Floats) -> float:
            sums = [weights @ each for each in cells]
            each = [f1(*values) for values in zip(*sums, strict=True)]
            known = [value for value in each if value == value]
            return sum(known) / len(known) if known else float("nan")

        return estimate(self.images, figure, width=len(self._scores))

    @cached_property
    def labels(self) -> tuple[LabelAccuracy, ...]:
        """The figures of each label; None where it has no images, or is never given."""
        ones, found = np.ones(self.images), []
        for number, name in enumerate(self.class_names):
            said, true, scores = self.decisions[:, number] == 1, self._true[:, number], self._scores[number]
            right = float((said & true).sum())
            precision, recall = _ratio(right, float(said.sum())), _ratio(right, float(true.sum()))
            both = f1(right, float((said & ~true).sum()), float((~said & true).sum()))
            values = [scores.average_precision(ones), scores.area_under_curve(ones), precision, recall, both]
            known = [None if value is None or value != value else value for value in values]
            found.append(LabelAccuracy(name, int(true.sum()), *known))
        return tuple(found)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The figures for tables, the main one first."""
        rate = self.top1_error
        return (
            Metric.of("map", "mAP", self.mean_average_precision),
            Metric.of("micro_f1", "micro F1", self.micro_f1),
            Metric.of("macro_f1", "macro F1", self.macro_f1),
            Metric("image_error", "images with a wrong label (%)", rate.rate, rate.interval, percent=True),
            Metric("loss", "loss", self.loss),
        )

    def lines(self) -> list[str]:
        """The figures as lines of text."""
        return [
            f"mAP {self.mean_average_precision}; 95 % confidence intervals in parentheses",
            f"labels from a probability of {self.threshold:g}: micro F1 {self.micro_f1}, macro F1 {self.macro_f1}",
            f"images with a wrong label: {self.top1_error}",
        ]

    def class_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and rows of classes.csv."""
        headings = ["label", "images", "average_precision", "auc", "precision", "recall", "f1"]
        rows: list[list[object]] = [
            [each.name, each.images, each.average_precision, each.auc, each.precision, each.recall, each.f1]
            for each in self.labels
        ]
        return headings, rows

    def image_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and a row of images.csv for each image."""
        found, names = self.predictions, np.array(self.class_names, object)
        rows: list[list[object]] = []
        for image, true, said, values in zip(
            found.images, self._true, self.decisions == 1, found.posteriors, strict=True
        ):
            right = str(bool((true == said).all())).lower()
            rows.append([image, ";".join(names[true]), ";".join(names[said]), right, *(f"{v:.6g}" for v in values)])
        return ["path", "labels", "prediction", "correct", *(f"probability of {name}" for name in names)], rows

    def figures(self) -> dict[str, Any]:
        """Figures of the target for `to_json`."""
        return {
            "threshold": self.threshold,
            "map": self.mean_average_precision.to_json(),
            "micro_f1": self.micro_f1.to_json(),
            "macro_f1": self.macro_f1.to_json(),
            "labels": [vars(each) for each in self.labels],
        }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
