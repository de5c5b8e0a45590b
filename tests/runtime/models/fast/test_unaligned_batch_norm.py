"""Batch normalization of several pixels together gives what Keras's layer gives."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.fast.unaligned_batch_norm import speed_up_unaligned_batch_normalization as speed_up
from archspec.runtime.training import train_step
from tests.runtime.models.fast import test_batch_norm
from tests.runtime.models.fast.test_batch_norm import images, pair, with_and_without_weights

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
assert_equal = partial(test_batch_norm.assert_equal, graph=True)
GROUPED, BOTH = 1, 3
"""How often PreventGradient is in the graph where pixels are taken together: only forward, or in the gradient too."""


def operations(model: Any, size: tuple[int | None, ...]) -> list[str]:
    """Those of the outputs and gradients in training."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
        return tape.gradient(outputs, [x, *model.trainable_variables])

    graph = step.get_concrete_function(tf.TensorSpec((None, *size))).graph
    return [each.type for each in graph.get_operations()]


# channels of which 2, 4, 8 and 16 pixels are taken together; with the ordinary gradient where 8 divides them
@pytest.mark.parametrize("shape", [(2, 3, 4, 24), (3, 2, 4, 12), (2, 4, 6, 10), (2, 4, 4, 3), (1, 2, 2, 4)])
@with_and_without_weights
def test_a_step_is_that_of_keras(shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    models = pair(shape, speed_up, **arguments)
    assert operations(models[1], shape[1:]).count("PreventGradient") == (BOTH if shape[-1] % 8 else GROUPED)
    assert_equal(models, images(*shape))


@pytest.mark.parametrize(("channels", "kernel"), [(12, False), (24, True), (32, True)])
def test_sizes_that_cannot_be_grouped(channels: int, kernel: bool) -> None:
    """They are normalized by the kernel or by Keras's operations, whichever is faster."""
    for size in ((3, 3), (None, None)):
        models = pair((1, *size, channels), speed_up)
        found = operations(models[1], (*size, channels))
        assert "PreventGradient" not in found
        assert ("FusedBatchNormV3" in found) is kernel
        assert_equal(models, images(2, 3, 3, channels))


def test_16_bits_inference_and_frozen_layers_are_not_changed() -> None:
    assert_equal(pair((2, 4, 4, 12), speed_up, dtype="mixed_bfloat16"), images(2, 4, 4, 12), tolerance=2e-2)
    assert_equal(pair((2, 4, 4, 12), speed_up), images(2, 4, 4, 12), training=False, tolerance=0)
    models = pair((2, 4, 4, 12), speed_up)
    for model in models:
        model.layers[1].trainable = False
    assert_equal(models, images(2, 4, 4, 12), tolerance=0)


def test_there_is_an_error_instead_of_wrong_second_derivatives() -> None:
    _, model = pair((2, 4, 4, 12), speed_up)

    def second(x: Any) -> Any:
        with tf.GradientTape() as outer, tf.GradientTape() as inner:
            outer.watch(x)
            inner.watch(x)
            outputs = model(x, training=True)
            gradient = inner.gradient(outputs, x)
        return outer.gradient(gradient, x)

    with pytest.raises(LookupError, match="no second derivatives"):
        tf.function(second, autograph=False)(tf.constant(images(2, 4, 4, 12)))


@pytest.mark.parametrize("channels", [12, 24])
def test_forward_mode_derivatives_are_right_or_an_error(channels: int) -> None:
    _, model = pair((2, 4, 4, channels), speed_up)
    x, direction = (
        tf.constant(np.random.default_rng(seed).normal(size=(2, 4, 4, channels)).astype(np.float32)) for seed in (1, 2)
    )

    def derivative(x: Any, direction: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(x, direction) as forward:
            outputs = model(x, training=True)
        return forward.jvp(outputs)

    step = 0.01 * direction
    expected = (model(x + step, training=True) - model(x - step, training=True)) / 0.02  # of second order
    np.testing.assert_allclose(derivative(x, direction), expected, atol=3e-3)
    with pytest.raises(LookupError, match="no forward-mode derivatives"):
        tf.function(derivative, autograph=False)(x, direction)


@pytest.mark.parametrize("x86", [True, False])
def test_a_train_step_uses_it_with_onednn_only(monkeypatch: pytest.MonkeyPatch, x86: bool) -> None:
    monkeypatch.setattr(train_step, "x86_onednn", lambda: x86)
    strategy = make_strategy(1)
    with strategy.scope():
        inputs = keras.Input((4, 4, 12))
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(inputs))
        model = keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(2)(x)))
    train_step.TrainStep(strategy, model, Recipe())
    assert ("PreventGradient" in operations(model, (4, 4, 12))) is x86


def test_large_means_are_as_exact_as_in_keras() -> None:
    """The variance of one group is not lost in the mean of all."""
    x = np.random.default_rng(1).normal(1000, 0.5, (4, 8, 8, 12)).astype(np.float32)
    models = (partial(model, training=True) for model in pair(x.shape, speed_up))
    expected, found = (np.array(tf.function(model, autograph=False)(x)) for model in models)
    plain = keras.layers.BatchNormalization(dtype="float64")
    plain.build(x.shape)
    plain.set_weights([np.float64(each) for each in pair(x.shape)[0].get_weights()])
    exact = np.array(plain(x.astype(np.float64), training=True))
    assert np.abs(found - exact).max() <= 2 * np.abs(expected - exact).max()
