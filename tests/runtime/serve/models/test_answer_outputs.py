"""What `serve_images` returns, for every kind of target."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.runtime.serve.models.answer_outputs import AnswerOutputs, answer_rows
from archspec.runtime.serve.models.tensor_spec import TensorSpec

LOGITS = np.array([[0.0, 2.0, -1.0]], np.float32)


def spec(units: int) -> TensorSpec:
    return TensorSpec("float32", (None, units))


def test_classes_are_ranked_by_softmax() -> None:
    """And ties keep their order, as `tf.math.top_k` has it."""
    found = AnswerOutputs.of({"logits": spec(3)}, ["a", "b", "c"], None)({"logits": LOGITS})
    exponents = [np.exp(2), 1, np.exp(-1)]
    assert found["classes"].tolist() == [["b", "a", "c"]]
    assert found["probabilities"][0] == pytest.approx(np.array(exponents) / sum(exponents), abs=1e-7)
    equal = AnswerOutputs.of({"probabilities": spec(3)}, ["a", "b", "c"], None)({"probabilities": 0 * LOGITS})
    assert equal["classes"].tolist() == [["a", "b", "c"]]


def test_two_classes_of_one_unit_get_a_probability_each() -> None:
    outputs = AnswerOutputs.of({"probabilities": spec(1)}, ["no", "yes"], [{"kind": "binary"}])
    found = outputs({"probabilities": np.array([[0.75], [0.25]], np.float32)})
    assert found["classes"].tolist() == [["yes", "no"], ["no", "yes"]]
    assert found["probabilities"].tolist() == [[0.75, 0.25], [0.75, 0.25]]
    assert outputs.specs["probabilities"].shape == (None, 2)
    assert answer_rows(found, 1)[0] == {"classes": [{"class": "yes", "probability": 0.75}]}


def test_labels_have_sigmoids_of_their_own() -> None:
    found = AnswerOutputs.of({"logits": spec(3)}, ["a", "b", "c"], [{"kind": "multi-label"}])({"logits": LOGITS})
    assert found["classes"].tolist() == [["b", "a", "c"]]
    assert found["probabilities"][0] == pytest.approx([1 / (1 + np.exp(-2)), 0.5, 1 / (1 + np.exp(1))], abs=1e-7)


@pytest.mark.parametrize("targets", [[{"kind": "numbers"}], [{"kind": "classes"}, {"kind": "numbers"}]])
def test_numbers_and_several_outputs_keep_their_names(targets: list[dict[str, str]]) -> None:
    main = {"age": spec(1), "size": spec(2)}
    outputs = AnswerOutputs.of(main, ["age"], targets)
    values = {"age": np.array([[30.0]]), "size": np.array([[1.0, 2.0]])}
    assert outputs(values) is values
    assert outputs.specs == main
    assert answer_rows(values, 5) == [{"outputs": {"age": [30.0], "size": [1.0, 2.0]}}]
