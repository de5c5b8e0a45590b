"""Metrics of targets against scikit-learn, from sums over batches as in training and from all outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from archspec.runtime.evaluation.binary_result import BinaryEvaluation
from archspec.runtime.evaluation.estimate import RankedScores, estimate
from archspec.runtime.evaluation.kinds import evaluation_of
from archspec.runtime.evaluation.multi_label_result import MultiLabelEvaluation
from archspec.runtime.evaluation.numbers_result import NumbersEvaluation
from archspec.runtime.evaluation.outputs import table_note
from archspec.runtime.evaluation.predictions import Predictions, load_predictions, write_predictions
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.targets import TARGETS, OutputTarget, OutputTargets

N = 217


def sigmoid(values: Any) -> Any:
    return (1 / (1 + np.exp(-values))).astype(np.float32)


def predictions(kind: str, posteriors: Any, labels: Any, names: tuple[str, ...], threshold: float = 0.5) -> Predictions:
    return Predictions(
        posteriors=posteriors,
        labels=labels,
        class_names=names,
        images=tuple(f"{row}.png" for row in range(len(labels))),
        models=("m.keras",),
        protocols=("center",),
        scales=("8",),
        data="t.csv",
        passes=1,
        kind=kind,
        threshold=threshold,
    )


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    """Scores (N, 3) with ties, and labels (N, 3) that go with them; numbers (N, 2)."""
    generator = np.random.default_rng(3)
    scores = np.round(generator.normal(size=(N, 3)) * 2, 1).astype(np.float32)
    labels = (scores + generator.normal(size=(N, 3)) * 2 > 0.7).astype(np.float32)
    numbers = (generator.normal(size=(N, 2)) * [2, 30] + [5, -400]).astype(np.float32)
    return {"scores": scores, "labels": labels, "numbers": numbers, "said": numbers + generator.normal(size=(N, 2))}


def summed(kind: str, units: int, scores: Any, labels: Any, center: tuple[float, ...] = ()) -> dict[str, float]:
    """The metrics of a validation, from the sums of batches of 50."""
    tf = import_tensorflow()
    targets = OutputTargets((OutputTarget(TARGETS[kind](), units, center=center),))
    total: Any = 0
    for start in range(0, N, 50):
        part = slice(start, start + 50)
        own, y = tf.constant(scores[part], tf.float32), tf.constant(labels[part], tf.float32)
        total = total + targets.counts(tf, [own], y, running=False).numpy().astype(float)
    return targets.figures(total, N, running=False)


def test_validation_metrics_are_those_of_scikit_learn(drawn: dict[str, Any]) -> None:
    scores, labels = drawn["scores"], drawn["labels"]
    found = summed("binary", 1, scores[:, :1], labels[:, :1])
    assert found["auc"] == pytest.approx(sklearn.roc_auc_score(labels[:, 0], scores[:, 0]), abs=1e-6)
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(labels[:, 0], scores[:, 0] >= 0), abs=1e-6)
    found = summed("multi-label", 3, scores, labels)
    assert found["map"] == pytest.approx(sklearn.average_precision_score(labels, scores, average="macro"), abs=1e-6)
    assert found["f1"] == pytest.approx(sklearn.f1_score(labels, scores >= 0, average="micro"), abs=1e-6)
    numbers, said = drawn["numbers"], drawn["said"]
    found = summed("numbers", 2, said, numbers, center=(5.0, -400.0))
    assert found["r2"] == pytest.approx(sklearn.r2_score(numbers, said), abs=1e-5)
    assert found["rmse"] == pytest.approx(sklearn.root_mean_squared_error(numbers, said), rel=1e-5)
    assert found["mae"] == pytest.approx(sklearn.mean_absolute_error(numbers, said), rel=1e-5)


def test_an_evaluation_of_two_classes_is_that_of_scikit_learn(drawn: dict[str, Any]) -> None:
    p, y = sigmoid(drawn["scores"][:, 0]), drawn["labels"][:, 0].astype(np.int32)
    both = np.stack([1 - p, p], axis=1)
    for threshold in (0.5, 0.3):
        found = evaluation_of(predictions("binary", both, y, ("no", "yes"), threshold))
        assert isinstance(found, BinaryEvaluation)
        said = p >= np.float32(threshold)
        assert found.auc.value == pytest.approx(sklearn.roc_auc_score(y, p))
        assert found.average_precision.value == pytest.approx(sklearn.average_precision_score(y, p))
        assert found.f1.value == pytest.approx(sklearn.f1_score(y, said))
        figures = found.to_json()
        assert figures["precision"]["value"] == pytest.approx(sklearn.precision_score(y, said))
        assert figures["recall"]["value"] == pytest.approx(sklearn.recall_score(y, said))
        assert found.top1 == pytest.approx(sklearn.accuracy_score(y, said))
        assert found.confusion.tolist() == sklearn.confusion_matrix(y, said).tolist()
        assert found.loss == pytest.approx(sklearn.log_loss(y, p.astype(float)), rel=1e-5)
        assert found.auc.interval is not None
        low, high = found.auc.interval
        assert low < found.auc.value < high


def test_an_evaluation_of_several_labels_is_that_of_scikit_learn(drawn: dict[str, Any]) -> None:
    p, y = sigmoid(drawn["scores"]), drawn["labels"]
    found = evaluation_of(predictions("multi-label", p, y, ("a", "b", "c")))
    assert isinstance(found, MultiLabelEvaluation)
    said = p >= 0.5
    assert found.mean_average_precision.value == pytest.approx(sklearn.average_precision_score(y, p))
    assert found.micro_f1.value == pytest.approx(sklearn.f1_score(y, said, average="micro"))
    assert found.macro_f1.value == pytest.approx(sklearn.f1_score(y, said, average="macro"))
    assert 1 - found.top1 == pytest.approx(1 - sklearn.accuracy_score(y, said))  # the subset accuracy
    each = sklearn.f1_score(y, said, average=None)
    assert [label.f1 for label in found.labels] == pytest.approx(list(each))
    assert [label.auc for label in found.labels] == pytest.approx(list(sklearn.roc_auc_score(y, p, average=None)))
    assert found.loss == pytest.approx(
        np.mean([sklearn.log_loss(y[:, column], p[:, column].astype(float)) for column in range(3)]), rel=1e-5
    )
    headings, rows = found.image_table()
    assert headings[:4] == ["path", "labels", "prediction", "correct"]
    names = np.array(["a", "b", "c"])
    assert rows[0][1] == ";".join(names[y[0] > 0])
    assert [row[3] == "true" for row in rows] == (said == y).all(axis=1).tolist()


def test_an_evaluation_of_numbers_is_that_of_scikit_learn(drawn: dict[str, Any]) -> None:
    y, said = drawn["numbers"], drawn["said"].astype(np.float32)
    found = evaluation_of(predictions("numbers", said, y, ("x", "y")))
    assert isinstance(found, NumbersEvaluation)
    assert found.r2.value == pytest.approx(sklearn.r2_score(y, said), abs=1e-6)
    assert found.rmse.value == pytest.approx(sklearn.root_mean_squared_error(y, said), rel=1e-5)
    assert found.mae.value == pytest.approx(sklearn.mean_absolute_error(y, said), rel=1e-5)
    with pytest.raises(AttributeError, match="no error rate"):
        _ = found.top1_error


def test_a_table_of_outputs_names_the_loss_of_each(drawn: dict[str, Any]) -> None:
    size = predictions("numbers", drawn["said"].astype(np.float32), drawn["numbers"], ("x", "y"))
    tags = predictions("multi-label", sigmoid(drawn["scores"]), drawn["labels"], ("a", "b", "c"))
    found = [evaluation_of(replace(each, output=name)) for name, each in (("size", size), ("tags", tags))]
    assert table_note(found).endswith(
        "loss: mean squared error (size); binary cross-entropy, nats (tags). "
        "Figures and losses of several numbers are means over them."
    )
    assert table_note(found[1:]).endswith("loss: binary cross-entropy, nats.")
    assert found[0].lines()[0].endswith("all are means over the 2 numbers")


@settings(max_examples=25)
@given(st.data())
def test_weighted_ranks_are_those_of_repeated_images(data: st.DataObject) -> None:
    """A weight is how often an image occurs: the bootstrap needs no copies."""
    count = data.draw(st.integers(4, 30))
    scores = np.array(data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count)), np.float32)
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    many_scores, many = np.repeat(scores, weights), np.repeat(positive, weights)
    ranked = RankedScores(scores, positive)
    if many.any() and not many.all():
        expected = sklearn.roc_auc_score(many, many_scores)
        assert ranked.area_under_curve(weights.astype(float)) == pytest.approx(expected)
        expected = sklearn.average_precision_score(many, many_scores)
        assert ranked.average_precision(weights.astype(float)) == pytest.approx(expected)
    else:
        assert np.isnan(ranked.area_under_curve(weights.astype(float)))


def test_the_bootstrap_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = estimate(400, lambda weights: float(weights @ values / weights.sum()))
    assert found.interval is not None
    half = 1.96 * values.std() / 20
    assert found.interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)


def test_saved_predictions_of_every_target_are_read_again(drawn: dict[str, Any], tmp_path: Any) -> None:
    p = sigmoid(drawn["scores"])
    for kind, values, labels, names in (
        ("binary", np.stack([1 - p[:, 0], p[:, 0]], 1), drawn["labels"][:, 0].astype(np.int32), ("no", "yes")),
        ("multi-label", p, drawn["labels"], ("a", "b", "c")),
        ("numbers", drawn["said"].astype(np.float32), drawn["numbers"], ()),
    ):
        before = predictions(kind, values, labels, names, threshold=0.25)
        write_predictions(tmp_path / "p.npz", before)
        after = load_predictions(tmp_path / "p.npz")
        assert (after.kind, after.threshold, after.class_names) == (kind, 0.25, names)
        assert np.array_equal(after.labels, labels)
        assert np.array_equal(after.posteriors, values)
