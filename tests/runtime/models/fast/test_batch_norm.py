"""Batch normalization by the fused kernel gives what Keras's layer gives, and everything else is left to Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import archspec
from archspec.runtime.models.fast.batch_norm import speed_up_batch_normalization
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

with_and_without_weights = pytest.mark.parametrize(
    "arguments",
    [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False, "momentum": 0.3, "epsilon": 0.1}],
    ids=["plain", "no scale", "no center", "neither"],
)


def pair(
    shape: tuple[int, ...], speed_up: Callable[[Any], int] = speed_up_batch_normalization, **arguments: Any
) -> tuple[Any, Any]:
    """Two equal models of one batch normalization, computed by Keras and by the kernel."""
    models = []
    for _ in range(2):
        inputs = keras.Input(shape[1:], dtype="float64" if arguments.get("dtype") == "float64" else "float32")
        models.append(keras.Model(inputs, keras.layers.BatchNormalization(**arguments)(inputs)))
        generator = np.random.default_rng(3)
        models[-1].set_weights([generator.uniform(0.5, 2, each.shape) for each in models[-1].get_weights()])
    assert speed_up(models[1]) == 1
    return models[0], models[1]


def step(model: Any, x: Any, training: bool, graph: bool = False) -> list[Any]:
    """Outputs, gradients and weights after two steps of training, or after one call in inference."""

    def once(given: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            outputs = model(given, training=training)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)) * tf.range(float(x.shape[-1])))
        return [outputs, *tape.gradient(loss, [given, *model.trainable_variables])]

    call = tf.function(once, autograph=False) if graph else once
    results = [each for number in range(2 if training else 1) for each in call(tf.convert_to_tensor(x + number))]
    return [np.array(each, np.float64) for each in (*results, *model.weights)]


def assert_equal(
    models: tuple[Any, Any], x: Any, training: bool = True, tolerance: float = 2e-5, graph: bool = False
) -> None:
    expected, found = (step(model, x, training, graph) for model in models)
    assert len(expected) == len(found)
    for its, mine in zip(expected, found, strict=True):
        np.testing.assert_allclose(mine, its, rtol=tolerance, atol=tolerance * max(1.0, float(np.abs(its).max())))


def images(*shape: int) -> Any:
    """Channels of different means and scales, the first of them constant."""
    x = np.random.default_rng(1).normal(size=shape) * np.arange(shape[-1]) + np.linspace(-5, 3, shape[-1])
    return x.astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 7, 5, 3), (4, 1, 1, 3), (1, 1, 1, 3), (1, 2, 1, 3), (64, 4, 4, 1)])
@with_and_without_weights
def test_a_step_is_that_of_keras(shape: tuple[int, ...], arguments: dict[str, Any]) -> None:
    assert_equal(pair(shape, **arguments), images(*shape))


@pytest.mark.parametrize("axis", [3, 1, 2])
@pytest.mark.parametrize("training", [True, False])
def test_axes_and_inference(axis: int, training: bool) -> None:
    if axis == 3:
        assert_equal(pair((2, 7, 5, 3), axis=axis), images(2, 7, 5, 3), training)
        return
    inputs = keras.Input((7, 5, 3))
    model = keras.Model(inputs, keras.layers.BatchNormalization(axis=axis)(inputs))
    assert speed_up_batch_normalization(model) == 0


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("mixed_bfloat16", 2e-2), ("mixed_float16", 3e-3), ("bfloat16", 2e-2)]
)
def test_16_bits(dtype: str, tolerance: float) -> None:
    models = pair((4, 6, 5, 3), dtype=dtype)
    x = images(4, 6, 5, 3)
    assert_equal(models, x, tolerance=tolerance)
    assert models[1](x, training=True).dtype == dtype.removeprefix("mixed_")


def test_float64_is_left_to_keras() -> None:
    models = pair((2, 7, 5, 3), dtype="float64")
    assert_equal(models, images(2, 7, 5, 3).astype(np.float64), tolerance=1e-12)


@pytest.mark.parametrize("change", ["trainable", "synchronized"])
def test_frozen_and_synchronized_layers_are_left_to_keras(change: str) -> None:
    """They equal Keras bit by bit: the kernel would not."""
    models = pair((2, 7, 5, 3))
    for model in models:
        setattr(model.layers[1], change, change == "synchronized")
    assert_equal(models, images(2, 7, 5, 3), tolerance=0)


def test_a_mask_is_left_to_keras() -> None:
    models = pair((2, 4, 5, 3))
    mask = np.arange(2 * 4 * 5).reshape(2, 4, 5) % 3 > 0
    x = images(2, 4, 5, 3)
    expected, found = (model.layers[1](x, training=True, mask=mask) for model in models)
    np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("shape", [(8, 3), (2, 7, 3), (2, 3, 4, 5, 3)])
def test_other_ranks_are_left_to_keras(shape: tuple[int, ...]) -> None:
    inputs = keras.Input(shape[1:])
    assert speed_up_batch_normalization(keras.Model(inputs, keras.layers.BatchNormalization()(inputs))) == 0


def operations(model: Any, training: bool) -> set[str]:
    traced = tf.function(lambda x: model(x, training=training)).get_concrete_function(
        tf.TensorSpec((None, *model.input_shape[1:]))
    )
    return {each.type for each in traced.graph.get_operations()}


@pytest.mark.parametrize("origin", [lambda path: archspec.build("resnet-digits"), lambda path: load_model(path)[0]])
def test_networks_are_trained_by_the_kernel_and_saved_as_keras_layers(
    tmp_path: Path, origin: Callable[[Path], Any]
) -> None:
    path = tmp_path / "model.keras"
    save_model(archspec.build("resnet-digits"), path, Metadata())
    model = origin(path)
    assert "FusedBatchNormV3" in operations(model, training=True)
    assert "FusedBatchNormV3" not in operations(model, training=False)
    save_model(model, tmp_path / "again.keras", Metadata())
    alone = keras.saving.load_model(tmp_path / "again.keras")
    assert "FusedBatchNormV3" not in operations(alone, training=True)
    assert alone.get_config() == keras.saving.load_model(path).get_config()
