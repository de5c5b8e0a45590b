"""Wide depthwise filters: gradients in parts equal those of Keras's layers, and files stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import archspec
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.fast.depthwise_conv import speed_up_depthwise_gradients
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from archspec.runtime.training import train_step
from archspec.runtime.training.replica_batches import replica_batches

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

DEPTHWISE, SEPARABLE = keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D


def pair(kind: Any, shape: tuple[int, ...], **arguments: Any) -> tuple[Any, Any]:
    """Two equal models of one layer; the second is the faster one."""
    models = []
    for _ in range(2):
        inputs = keras.Input(shape)
        models.append(keras.Model(inputs, kind(**arguments)(inputs)))
        generator = np.random.default_rng(3)
        models[-1].set_weights([generator.normal(size=each.shape) for each in models[-1].get_weights()])
    return models[0], models[1]


def outputs_and_gradients(model: Any, x: Any) -> list[Any]:
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(x: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = model(x, training=True)
            loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
        return [outputs, *tape.gradient(loss, [x, *model.trainable_variables])]

    return [np.array(each) for each in step(tf.constant(x))]


@pytest.mark.parametrize(
    ("kind", "kernel_size", "strides", "padding", "size"),
    [
        (DEPTHWISE, 5, 1, "same", (6, 7)),
        (DEPTHWISE, 5, 2, "same", (9, 8)),
        (DEPTHWISE, (4, 4), 5, "same", (11, 12)),
        (DEPTHWISE, 5, 1, "same", (1, 1)),
        (SEPARABLE, 5, 2, "same", (6, 7)),
        (SEPARABLE, 7, 2, "valid", (10, 12)),
        (SEPARABLE, (1, 6), 3, "same", (2, 11)),
    ],
)
def test_gradients_are_those_of_keras(kind: Any, kernel_size: Any, strides: int, padding: str, size: Any) -> None:
    more = {"filters": 4} if kind is SEPARABLE else {}
    arguments = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "activation": "relu", **more}
    stock, faster = pair(kind, (*size, 3), **arguments)
    assert speed_up_depthwise_gradients(faster) == 1
    x = np.random.default_rng(1).normal(size=(2, *size, 3)).astype(np.float32)
    for its, mine in zip(outputs_and_gradients(stock, x), outputs_and_gradients(faster, x), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(its).max())))


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 3},
        {"kernel_size": (7, 3)},
        {"kernel_size": 5, "dilation_rate": 2},
        {"kernel_size": 5, "depth_multiplier": 2},
    ],
)
def test_other_layers_are_left_to_keras(arguments: dict[str, Any]) -> None:
    assert speed_up_depthwise_gradients(pair(keras.layers.DepthwiseConv2D, (12, 12, 3), **arguments)[1]) == 0


@pytest.mark.parametrize("change", [{"dtype": "mixed_bfloat16"}, {"dtype": "float64"}])
def test_other_dtypes_are_left_to_keras(change: dict[str, Any]) -> None:
    """They equal Keras bit by bit."""
    stock, faster = pair(keras.layers.DepthwiseConv2D, (6, 7, 3), kernel_size=5, padding="same", **change)
    assert speed_up_depthwise_gradients(faster) == 1
    x = np.random.default_rng(1).normal(size=(2, 6, 7, 3)).astype(np.float32)
    for its, mine in zip(outputs_and_gradients(stock, x), outputs_and_gradients(faster, x), strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("x86", [True, False])
def test_a_training_step_uses_them_and_files_stay_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, x86: bool
) -> None:
    spec = tmp_path / "wide.yaml"
    spec.write_text(
        "name: wide\ninput: [8, 8, 3]\nlayers:\n  - depthwise_conv: {kernel_size: 5}\n  - global_avgpool\n"
        "  - dense: 2\n  - softmax\n"
    )
    monkeypatch.setattr(train_step, "x86_onednn", lambda: x86)
    strategy = make_strategy(1)
    with strategy.scope():
        model = archspec.load(spec).build()
    step = train_step.TrainStep(strategy, model, Recipe())
    data = tf.data.Dataset.from_tensors((tf.zeros((2, 8, 8, 3)), tf.zeros(2, tf.int32)))
    batches = iter(replica_batches(strategy, data))
    graph = step._step.get_concrete_function(batches, tf.constant(0.1), tf.constant(True)).graph
    kinds = [each.type for each in graph.get_operations()]
    assert kinds.count("DepthwiseConv2dNativeBackpropFilter") == (2 if x86 else 1)
    save_model(model, tmp_path / "model.keras", Metadata())
    alone = keras.saving.load_model(tmp_path / "model.keras")
    assert {type(each).__module__.split(".")[0] for each in alone.layers} == {"keras"}
