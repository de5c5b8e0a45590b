"""Updates by one kernel are those of Keras and of the formulas in the papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.runtime.training.optimization.fused_updates import speed_up_updates

STEPS = 20
UP_TO = st.floats(0.01, 0.99)
EPSILON = st.floats(-8, -1).map(lambda exponent: 10**exponent)
CASES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": UP_TO}),
    "nesterov": ("SGD", {"momentum": UP_TO, "nesterov": st.just(True)}),
    "adam": ("Adam", {"beta_1": UP_TO, "beta_2": st.floats(0.5, 0.999), "epsilon": EPSILON}),
    "adamw": ("AdamW", {"beta_1": UP_TO, "weight_decay": st.floats(0.01, 0.1)}),
    "rmsprop": ("RMSprop", {"rho": UP_TO, "momentum": UP_TO, "epsilon": EPSILON}),
}
WEIGHTS = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
GRADIENTS = np.random.default_rng(2).normal(size=(STEPS, 5, 3)).astype(np.float32)
GRADIENTS[:, 0] *= 1e-4  # where epsilon matters


def rate(step: int) -> float:
    return 0.02 if step < 10 else 0.005


def exact(kind: str, chosen: Mapping[str, Any]) -> np.ndarray:
    """The weights in float64: Sutskever et al. 2013, equations 3 to 6; Kingma & Ba 2014, section 2, where epsilon is
    added to the uncorrected root; Loshchilov & Hutter 2017, Algorithm 2; Tieleman & Hinton 2012, with momentum."""
    weights = WEIGHTS.astype(np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step, gradient in enumerate(GRADIENTS.astype(np.float64)):
        if kind == "SGD":
            velocity = chosen.get("momentum", 0.0)
            first = velocity * first - rate(step) * gradient
            weights = weights + (velocity * first - rate(step) * gradient if chosen.get("nesterov") else first)
        elif kind == "RMSprop":
            second = chosen["rho"] * second + (1 - chosen["rho"]) * gradient**2
            first = chosen["momentum"] * first + rate(step) * gradient / np.sqrt(second + chosen["epsilon"])
            weights = weights - first
        else:
            one, two = chosen["beta_1"], chosen.get("beta_2", 0.999)
            weights = weights * (1 - rate(step) * chosen.get("weight_decay", 0.0))
            first, second = one * first + (1 - one) * gradient, two * second + (1 - two) * gradient**2
            size = rate(step) * np.sqrt(1 - two ** (step + 1)) / (1 - one ** (step + 1))
            weights = weights - size * first / (np.sqrt(second) + chosen.get("epsilon", 1e-7))
    return weights


def trained(optimizer: Any, fused: bool, dtype: str = "float32") -> list[np.ndarray]:
    """The weights after all gradients, and the optimizer's variables but the learning rate."""
    variable = keras.Variable(WEIGHTS, dtype=dtype, name="kernel")
    optimizer.build([variable])
    if fused:
        assert speed_up_updates(optimizer)
    for step, gradient in enumerate(GRADIENTS):
        optimizer.learning_rate = rate(step)
        optimizer.apply([tf.constant(gradient)], [variable])
    return [np.array(variable), *(np.array(each) for each in optimizer.variables if each.name != "learning_rate")]


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_updates_are_those_of_keras_and_of_the_paper(name: str, data: st.DataObject) -> None:
    kind, drawn = CASES[name]
    chosen = {key: data.draw(value, key) for key, value in drawn.items()}
    make = getattr(keras.optimizers, kind)
    found, keras_values = trained(make(0.01, **chosen), True), trained(make(0.01, **chosen), False)
    # both round beta_2 to float32, and so 1 - beta_2 = 0.001 to four digits
    for mine, its in zip(found, keras_values, strict=True):
        np.testing.assert_allclose(mine, its, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(found[0], exact(kind, chosen), rtol=2e-5, atol=2e-5)
    assert np.abs(found[0] - WEIGHTS)[1:].max() > 0.05


class Mine(keras.optimizers.SGD):
    """May have another `update_step`."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.Adam(amsgrad=True),
        lambda: keras.optimizers.RMSprop(),
        lambda: keras.optimizers.RMSprop(momentum=0.9, centered=True),
        lambda: keras.optimizers.Nadam(),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()),
        Mine,
    ],
    ids=["amsgrad", "without-momentum", "centered", "nadam", "loss-scale", "subclass"],
)
def test_other_optimizers_stay_as_they_are(make: Callable[[], Any]) -> None:
    optimizer = make()
    optimizer.build([keras.Variable(WEIGHTS, name="kernel")])
    before = dict(vars(optimizer))
    assert not speed_up_updates(optimizer)
    assert vars(optimizer) == before


def test_several_replicas_are_updated_by_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = keras.optimizers.SGD()
    optimizer.build([keras.Variable(WEIGHTS, name="kernel")])
    monkeypatch.setattr(optimizer, "_distribution_strategy", SimpleNamespace(num_replicas_in_sync=2))
    assert not speed_up_updates(optimizer)


def test_other_dtypes_are_updated_by_keras() -> None:
    mine, its = (trained(keras.optimizers.SGD(momentum=0.9), fused, "float64") for fused in (True, False))
    assert mine[0].dtype == np.float64
    for one, other in zip(mine, its, strict=True):
        np.testing.assert_array_equal(one, other)


def test_updates_wait_for_the_operations_that_use_the_weights() -> None:
    """Otherwise TensorFlow copies a weight whose layer has not yet computed the gradient of its inputs."""
    inputs = keras.Input((6, 3))
    x = keras.layers.Conv1D(4, 3)(inputs)
    x = keras.layers.Dense(5, activation="relu")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    optimizer = keras.optimizers.SGD(momentum=0.9)
    optimizer.build(model.trainable_variables)
    speed_up_updates(optimizer)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(x: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    graph = step.get_concrete_function(tf.TensorSpec((2, 6, 3))).graph
    updates = [each for each in graph.get_operations() if each.type == "ResourceApplyKerasMomentum"]
    assert len(updates) == 6
    products = 0
    for update in updates:
        before, left = set(), [update]
        while left:
            each = left.pop()
            sources = [*each.control_inputs, *(tensor.op for tensor in each.inputs)]
            left += [source for source in sources if source not in before]
            before.update(sources)
        reads = [each for each in update.inputs[0].consumers() if each.type == "ReadVariableOp"]
        assert reads
        while reads:
            for use in reads.pop().outputs[0].consumers():
                assert use in before
                products += use.type == "MatMul"
                reads += [use] if use.type in ("ExpandDims", "Reshape") else []
    assert products == 4  # of each kernel of a dense layer: forward, and the gradient of its inputs
