"""The evaluation of a network that predicts numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from archspec.runtime.evaluation.estimate import Estimate, Floats, estimate
from archspec.runtime.evaluation.metric import Metric
from archspec.runtime.evaluation.result import ErrorRate, Evaluation


class NumbersEvaluation(Evaluation):
    """Metrics of a network that predicts numbers. It has no classes, so no error rates and no confusion matrix."""

    loss_name = "mean squared error"
    has_confusion: ClassVar[bool] = False

    @cached_property
    def _wrong(self) -> Floats:
        wrong: Floats = self.predictions.posteriors.astype(np.float64) - self.predictions.labels
        return wrong

    @cached_property
    def loss(self) -> float:
        """The mean squared error over images and numbers."""
        return float((self._wrong**2).mean())

    @property
    def top1_error(self) -> ErrorRate:
        """Raises AttributeError: numbers have no classes."""
        raise AttributeError("an evaluation of numbers has no error rate")

    def _mean(self, figure: Callable[[Floats, Floats, Floats], Floats]) -> Estimate:
        """Of weights (N,), errors and labels (N, numbers) -> (numbers,): its mean over the numbers."""
        labels = self.predictions.labels.astype(np.float64)
        return estimate(
            self.images,
            lambda weights: float(np.mean(figure(weights / weights.sum(), self._wrong, labels))),
            width=labels.shape[1],
        )

    @cached_property
    def rmse(self) -> Estimate:
        """The root mean squared error, in the units of the labels; of several numbers the mean over them."""
        return self._mean(lambda weights, wrong, labels: np.sqrt(weights @ wrong**2))

    @cached_property
    def mae(self) -> Estimate:
        """The mean absolute error; of several numbers the mean over them."""
        return self._mean(lambda weights, wrong, labels: weights @ np.abs(wrong))

    @cached_property
    def r2(self) -> Estimate:
        """The coefficient of determination: 1 - the mean squared error / the variance of the labels.

        Of several numbers the mean over them.
        """

        def figure(weights: Floats, wrong: Floats, labels: Floats) -> Floats:
            variance = weights @ (labels - weights @ labels) ** 2
            explained: Floats = 1 - (weights @ wrong**2) / np.where(variance > 0, variance, np.nan)
            return explained

        return self._mean(figure)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The figures for tables, the main one first."""
        return (
            Metric.of("r2", "R2", self.r2),
            Metric.of("rmse", "RMSE", self.rmse),
            Metric.of("mae", "MAE", self.mae),
            Metric("loss", "loss", self.loss),
        )

    def lines(self) -> list[str]:
        """The figures as lines of text."""
        several = f"; all are means over the {units} numbers" if (units := self.predictions.labels.shape[1]) > 1 else ""
        return [
            f"R2 {self.r2}; 95 % confidence intervals in parentheses{several}",
            f"root mean squared error {self.rmse}, mean absolute error {self.mae}, in the units of the labels",
        ]

    @property
    def _names(self) -> list[str]:
        names = self.class_names or ("",)
        return [f" of {name}" if name else "" for name in names]

    def class_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and rows of classes.csv."""
        squares, absolute = np.sqrt((self._wrong**2).mean(axis=0)), np.abs(self._wrong).mean(axis=0)
        spread = self.predictions.labels.std(axis=0, dtype=np.float64)
        each = zip(self.class_names or ("number",), squares, absolute, spread, strict=True)
        return ["number", "rmse", "mae", "standard deviation of the labels"], [
            [name, float(rmse), float(mae), float(deviation)] for name, rmse, mae, deviation in each
        ]

    def image_table(self) -> tuple[list[str], list[list[object]]]:
        """Headings and a row of images.csv for each image."""
        found = self.predictions
        headings = [f"{what}{name}" for name in self._names for what in ("label", "prediction")]
        rows: list[list[object]] = []
        for image, true, said in zip(found.images, found.labels, found.posteriors, strict=True):
            rows.append([image, *(f"{each:.6g}" for pair in zip(true, said, strict=True) for each in pair)])
        return ["path", *headings], rows

    def figures(self) -> dict[str, Any]:
        """Figures of the target for `to_json`."""
        return {"r2": self.r2.to_json(), "rmse": self.rmse.to_json(), "mae": self.mae.to_json()}
