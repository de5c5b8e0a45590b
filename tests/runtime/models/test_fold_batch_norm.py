"""A network with folded batch normalization has the same logits, and the network it was made from is unchanged."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import archspec
from archspec.runtime.models.classifier import logits_of
from archspec.runtime.models.fold_batch_norm import fold_batch_norm

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def randomized(model: Any) -> Any:
    """The model with moving statistics, scales and shifts as after training."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([generator.uniform(0.3, 2, each.shape) for each in layer.get_weights()])
    return model


def normalizations(model: Any) -> int:
    return sum(isinstance(layer, layers.BatchNormalization) for layer in model.layers)


def assert_folded(model: Any, left: int) -> None:
    """So many normalizations are left, and the outputs agree to 1e-5 of the largest one."""
    folded = fold_batch_norm(randomized(model))
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    before, weights = model(x, training=False), model.get_weights()
    difference = np.abs(np.asarray(folded(x, training=False)) - before).max()
    assert difference <= 1e-5 * np.abs(before).max()
    assert normalizations(folded) == left
    for mine, its in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, its)
    np.testing.assert_array_equal(model(x, training=False), before)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}], ids=str)
@pytest.mark.parametrize(
    "layer",
    [
        lambda **given: layers.Conv2D(6, 3, groups=2, padding="same", **given),
        lambda **given: layers.Conv2DTranspose(5, 3, strides=2, **given),
        lambda **given: layers.DepthwiseConv2D(3, depth_multiplier=2, **given),
        lambda **given: layers.Dense(7, **given),
    ],
    ids=["conv", "transposed", "depthwise", "dense"],
)
def test_each_linear_layer_absorbs_it(layer: Any, arguments: dict[str, Any], bias: bool) -> None:
    inputs = keras.Input((7, 5, 4))
    x = layers.BatchNormalization(**arguments)(layer(use_bias=bias, bias_initializer="random_normal")(inputs))
    assert_folded(keras.Model(inputs, x), 0)


@pytest.mark.parametrize("rank", [1, 3])
def test_one_and_three_axes(rank: int) -> None:
    inputs = keras.Input((*(7, 6, 5)[:rank], 4))
    x = getattr(layers, f"Conv{rank}D")(6, 3)(inputs)
    assert_folded(keras.Model(inputs, layers.BatchNormalization()(x)), 0)


def test_what_cannot_be_folded_stays() -> None:
    inputs = keras.Input((9, 9, 4))
    activated = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", activation="relu")(inputs))
    shared = layers.Conv2D(4, 3, padding="same")
    twice = layers.add([layers.BatchNormalization()(shared(activated)), shared(activated)])
    used = layers.Conv2D(4, 3, padding="same")(twice)
    both = layers.add([used, layers.BatchNormalization()(used)])
    other_axis = layers.BatchNormalization(axis=1)(layers.Conv2D(4, 3)(both))
    padded = layers.BatchNormalization()(layers.ZeroPadding2D(1)(layers.Conv2D(4, 1)(other_axis)))
    output = layers.BatchNormalization()(layers.Conv2D(4, 3)(padded))
    assert_folded(keras.Model(inputs, output), 5)


@pytest.mark.parametrize(
    ("reference", "settings", "left"),
    [
        ("resnet-digits", {}, 0),
        ("mobilenet-v2", {"input": [32, 32, 3]}, 0),
        ("densenet-cifar:40-12", {}, 39),  # every normalization reads a concatenation
        ("vgg:A", {"input": [32, 32, 3], "narrow": 8}, 0),
    ],
)
def test_networks(reference: str, settings: dict[str, Any], left: int) -> None:
    keras.utils.set_random_seed(1)
    assert_folded(logits_of(archspec.build(reference, **settings)), left)
