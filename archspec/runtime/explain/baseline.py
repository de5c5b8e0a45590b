"""Images of one grey level as inputs of a network: the start of a path, or what covers an image."""

from __future__ import annotations

from typing import Any

from archspec.runtime.data.pipeline.preprocess import preprocess_values
from archspec.runtime.explain.map_scaling import Array
from archspec.runtime.explain.open_network import OpenNetwork

LEVELS = {"black": 0.0, "grey": 127.5, "white": 255.0}
"""Name -> pixel value, before `preprocess`."""


def uniform_input(network: OpenNetwork, level: float, size: tuple[int, ...]) -> Array:
    """An image of one pixel value after `preprocess`: float32 of the size (H, W, C)."""
    import tensorflow as tf

    pixels: Any = tf.fill((1, *size), tf.constant(level, tf.float32))
    prepared: Array = preprocess_values(tf, pixels, network.input_shape, network.metadata.preprocess)[0].numpy()
    return prepared
