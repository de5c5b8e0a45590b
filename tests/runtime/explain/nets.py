"""Small networks with known weights, and the gradient of a function by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.models.metadata import Metadata

Array = npt.NDArray[Any]
CLASSES = ("red", "green", "blue")


def opened(model: Any, names: tuple[str, ...] = CLASSES, metadata: Metadata | None = None) -> OpenNetwork:
    return OpenNetwork(model, metadata or Metadata(), names)


def small_net(end: str = "softmax", *, activation: str = "relu", pooled: bool = True) -> Any:
    """conv, normalization, activation, 3/2 pooling, conv, residual, and global average + dense or flatten + dense."""
    import keras

    keras.utils.set_random_seed(7)
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="conv1")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation(activation, name="act1")(x)
    x = layers.MaxPooling2D(3, 2, name="pool")(x)
    y = layers.Conv2D(4, 3, padding="same", activation=activation, name="conv2")(x)
    x = layers.Add(name="add")([x, y])
    x = layers.Activation(activation, name="act2")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x) if pooled else layers.Flatten(name="flat")(x)
    if end == "fused":
        x = layers.Dense(3, activation="softmax", name="scores")(x)
    else:
        x = layers.Dense(3, name="scores")(x)
        x = {"softmax": layers.Softmax(name="softmax"), "logits": lambda x: x}[end](x)
    model = keras.Model(inputs, x)
    generator = np.random.default_rng(3)
    model.set_weights(
        [
            generator.uniform(0.1, 0.9, w.shape) if i in (2, 5) else generator.normal(0, 0.5, w.shape)
            for i, w in enumerate(model.get_weights())
        ]
    )
    return model


def images(count: int = 2, size: tuple[int, ...] = (8, 8, 3)) -> Array:
    return np.random.default_rng(0).normal(0, 1, (count, *size)).astype(np.float32)


def finite_differences(function: Callable[[Array], float], x: Array, places: list[tuple[int, ...]]) -> Array:
    """df/dx at some places, by central differences."""
    found = []
    for place in places:
        step = np.zeros_like(x)
        step[place] = 1e-2
        found.append((function(x + step) - function(x - step)) / 2e-2)
    return np.array(found)
