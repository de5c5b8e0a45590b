"""One step of training, by hand; the loss and the counts of a classifier."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from archspec.diagnostics import ArchspecError
from archspec.lang.recipes.optimizers import Sgd
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.classifier import logits_of
from archspec.runtime.models.metrics import MetricSums, cross_entropy, ranks
from archspec.runtime.training.optimization.optimizer import decayed
from archspec.runtime.training.replica_batches import replica_batches
from archspec.runtime.training.train_step import TrainStep

X = np.array([[1.0], [-2.0], [0.5]], np.float32)
Y = np.array([0, 1, 1], np.int32)


def softmax(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("nesterov", [False, True])
def test_update_equation_by_hand(nesterov: bool) -> None:
    """v <- m v - lr (g + decay w), w <- w + v for the kernel; the bias is not decayed; the last batch is smaller."""
    recipe = Recipe(optimizer=Sgd(momentum=0.9, nesterov=nesterov), weight_decay=0.2, label_smoothing=0.3)
    strategy = make_strategy()
    with strategy.scope():
        inputs = keras.Input((1,))
        model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(2)(inputs)))
    start = [np.array([[0.3, -0.4]], np.float32), np.array([0.1, 0.2], np.float32)]
    model.set_weights(start)
    step = TrainStep(strategy, model, recipe)
    batches = tf.data.Dataset.from_tensor_slices((X, Y)).batch(2).repeat(2)
    iterator = iter(replica_batches(strategy, batches))

    kernel, bias = (w.astype(np.float64) for w in start)
    velocity = [np.zeros_like(kernel), np.zeros_like(bias)]
    for rows, rate in (([0, 1], 0.1), ([2], 0.05), ([0, 1], 0.2), ([2], 0.1)):
        x, y = X[rows], Y[rows]
        target = 0.7 * np.eye(2)[y] + 0.3 / 2
        p = softmax(x @ kernel + bias)
        error = (p - target) / len(rows)
        gradients = [x.T @ error + 0.2 * kernel, error.sum(axis=0)]
        score = MetricSums.of(step(iterator, rate))
        assert score.examples == len(rows)
        assert score.loss == pytest.approx(-(target * np.log(p)).sum() / len(rows), abs=1e-6)
        assert score.top1_count == (p.argmax(axis=1) == y).sum()
        velocity = [0.9 * v - rate * g for v, g in zip(velocity, gradients, strict=True)]
        moves = [0.9 * v - rate * g for v, g in zip(velocity, gradients, strict=True)] if nesterov else velocity
        kernel, bias = kernel + moves[0], bias + moves[1]
    np.testing.assert_allclose(model.get_weights()[0], kernel, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], bias, atol=1e-6)


def test_only_kernels_are_decayed() -> None:
    """Kernels of every layer that has one; neither biases nor the scale and shift of normalization."""
    inputs = keras.Input((6, 5, 4))
    x = keras.layers.SeparableConv2D(3, 3)(inputs)
    x = keras.layers.BatchNormalization()(keras.layers.DepthwiseConv2D(3)(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    variables = model.trainable_variables
    names = {variable.name: decay for variable, decay in zip(variables, decayed(variables), strict=True)}
    assert {name for name, decay in names.items() if not decay} == {"bias", "gamma", "beta"}
    assert {name for name, decay in names.items() if decay} == {"depthwise_kernel", "pointwise_kernel", "kernel"}


@given(hnp.arrays(np.float32, (5, 4), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])), st.integers(0, 3))
def test_rank_is_the_place_in_a_stable_sort(logits: np.ndarray[Any, Any], label: int) -> None:
    """Equal logits rank in the order of their classes, as argmax takes them."""
    order = np.argsort(-logits, axis=1, kind="stable")
    expected = (order == label).argmax(axis=1)
    assert ranks(tf, tf.constant(logits), tf.fill([5], label)).numpy().tolist() == expected.tolist()


def test_nan_is_never_right() -> None:
    logits = tf.constant([[float("nan"), 1.0], [float("nan"), float("nan")]])
    assert ranks(tf, logits, tf.constant([0, 0])).numpy().tolist() == [1, 1]


def test_smoothed_cross_entropy_is_that_of_the_smoothed_target() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    labels = np.array([0, 2, 1, 1, 0], np.int32)
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction="none")
    given = cross_entropy(tf, tf.constant(logits), tf.constant(labels), 0.1).numpy()
    np.testing.assert_allclose(given, expected(np.eye(3)[labels], logits).numpy(), rtol=1e-5)


LAST_LAYERS = {
    "softmax": [keras.layers.Dense(3), keras.layers.Softmax()],
    "activation": [keras.layers.Dense(3), keras.layers.Activation("softmax")],
    "dense softmax": [keras.layers.Dense(3, activation="softmax")],
    "logits": [keras.layers.Dense(3)],
}


@pytest.mark.parametrize("layers", LAST_LAYERS.values(), ids=LAST_LAYERS)
def test_logits_and_outputs_agree_however_the_network_ends(layers: list[Any]) -> None:
    model = keras.Sequential([keras.Input((4,)), *layers])
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    expected = model(x).numpy() if layers[-1] is not LAST_LAYERS["logits"][0] else softmax(model(x).numpy())
    np.testing.assert_allclose(softmax(logits_of(model)(x).numpy()), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "fact"),
    [
        ([keras.layers.Dense(3, activation="sigmoid")], "the network ends in `sigmoid`"),
        ([keras.layers.Dense(1)], "the network returns (1,)"),
        ([keras.layers.Reshape((2, 2))], "the network returns (2, 2)"),
    ],
    ids=["sigmoid", "one score", "a grid"],
)
def test_what_is_no_classifier_is_refused(layers: list[Any], fact: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        logits_of(keras.Sequential([keras.Input((4,)), *layers]))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "no-classifier"
    assert diagnostic.message.startswith(fact)
