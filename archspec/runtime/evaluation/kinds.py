"""The evaluation of predictions, by the kind of their target."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.runtime.evaluation.binary_result import BinaryEvaluation
from archspec.runtime.evaluation.multi_label_result import MultiLabelEvaluation
from archspec.runtime.evaluation.numbers_result import NumbersEvaluation
from archspec.runtime.evaluation.predictions import Predictions
from archspec.runtime.evaluation.result import Evaluation

EVALUATIONS: Mapping[str, type[Evaluation]] = {
    "classes": Evaluation,
    "binary": BinaryEvaluation,
    "multi-label": MultiLabelEvaluation,
    "numbers": NumbersEvaluation,
}
"""The name of a target -> its evaluation."""


def evaluation_of(predictions: Predictions) -> Evaluation:
    """The metrics of predictions."""
    return EVALUATIONS[predictions.kind](predictions)
