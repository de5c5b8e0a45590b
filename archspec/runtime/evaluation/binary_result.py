"""The evaluation of a network that decides between two classes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.evaluation.estimate import Estimate, Floats, RankedScores, estimate, f1
from archspec.runtime.evaluation.metric import Metric
from archspec.runtime.evaluation.result import ErrorRate, Evaluation


class BinaryEvaluation(Evaluation):
    """Metrics of a network with one sigmoid unit. The second class is the positive one; rates are at the threshold."""

    loss_name = "binary cross-entropy"

    @property
    def threshold(self) -> float:
        """The least probability of the second class that is a decision for it."""
        return self.predictions.threshold

    @cached_property
    def decisions(self) -> npt.NDArray[np.int64]:
        """int (N,): 1 for the second class."""
        return np.asarray(self.predictions.posteriors[:, 1] >= np.float32(self.threshold), np.int64)

    @cached_property
    def _ranks(self) -> npt.NDArray[np.int64]:
        return np.asarray(self.decisions != self.predictions.labels, np.int64)

    @cached_property
    def _scores(self) -> RankedScores:
        return RankedScores(self.predictions.posteriors[:, 1], self.predictions.labels == 1)

    @cached_property
    def auc(self) -> Estimate:
        """The area under the ROC curve."""
        return estimate(self.images, self._scores.area_under_curve)

    @cached_property
    def average_precision(self) -> Estimate:
        """The area under the curve of precision and recall."""
        return estimate(self.images, self._scores.average_precision)

    @property
    def precision(self) -> Estimate:
        """Share of the images decided for the second class that have it, with Wilson's interval."""
        said = self.decisions == 1
        return _share(int((said & (self.predictions.labels == 1)).sum()), int(said.sum()))

    @property
    def recall(self) -> Estimate:
        """Share of the images of the second class that are decided for it, with Wilson's interval."""
        true = self.predictions.labels == 1
        return _share(int((true & (self.decisions == 1)).sum()), int(true.sum()))

    @cached_property
    def f1(self) -> Estimate:
        """F1 of the second class."""
        said, true = self.decisions == 1, self.predictions.labels == 1

        def figure(weights: Floats) -> float:
            return f1(weights[said & true].sum(), weights[said & ~true].sum(), weights[~said & true].sum())

        return estimate(self.images, figure)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The figures for tables, the main one first."""
        rate = self.top1_error
        return (
            Metric.of("auc", "AUC", self.auc),
            Metric("error", "error (%)", rate.rate, rate.interval, percent=True),
            Metric.of("f1", "F1", self.f1),
            Metric("loss", "loss", self.loss),
        )

    def lines(self) -> list[str]:
        """The figures as lines of text."""
        first, second = self.class_names
        return [
            f"AUC {self.auc}, average precision {self.average_precision}; 95 % confidence intervals in parentheses",
            f"`{second}` from a probability of {self.threshold:g}, else `{first}`: error {self.top1_error}",
            f"precision {self.precision}, recall {self.recall}, F1 {self.f1}",
        ]

    def image_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and a row of images.csv for each image."""
        found, names = self.predictions, self.class_names
        rows: list[list[object]] = [
            [image, names[label], names[said], str(bool(said == label)).lower(), f"{values[1]:.6g}"]
            for image, label, said, values in zip(
                found.images, found.labels, self.decisions, found.posteriors, strict=True
            )
        ]
        return ["path", "label", "prediction", "correct", f"probability of {names[1]}"], rows

    def figures(self) -> dict[str, Any]:
        """Figures of the target for `to_json`."""
        return {
            "threshold": self.threshold,
            "auc": self.auc.to_json(),
            "average_precision": self.average_precision.to_json(),
            "precision": self.precision.to_json(),
            "recall": self.recall.to_json(),
            "f1": self.f1.to_json(),
        }


def _share(count: int, total: int) -> Estimate:
    """A share of images, 0 to 1."""
    rate = ErrorRate(count, total)
    return Estimate(rate.rate, rate.interval if total else None)
