"""How activations are read: as layers of their own, and inside of other layers."""

from __future__ import annotations

from typing import Any

from archspec.ops import OPS
from archspec.runtime.from_keras.reading import NotReadable, Reading, reads


def activated(reading: Reading, node: int, activation: Any) -> int:
    """The node, or one for the activation inside of its layer."""
    import keras

    if activation is None or activation is keras.activations.linear:
        return node
    return function(reading, node, activation)


def function(reading: Reading, node: int, activation: Any) -> int:
    """A node for a function of keras.activations, or for a layer that stands where one may."""
    import keras

    if isinstance(activation, keras.layers.Layer):
        return read_activation_layer(reading, node, activation)
    name = getattr(activation, "__name__", str(activation))
    if name not in OPS or getattr(keras.activations, name, None) is not activation:
        raise NotReadable(f"its activation `{name}` is none of keras.activations")
    return reading.add(name, node)


def read_activation_layer(reading: Reading, node: int, layer: Any) -> int:
    kind = type(layer).__name__
    if kind not in ACTIVATIONS:
        raise NotReadable(f"its activation is a layer of class {kind}")
    return ACTIVATIONS[kind](reading, node, layer)


def _relu(reading: Reading, node: int, layer: Any) -> int:
    slope, ceiling, threshold = float(layer.negative_slope or 0), layer.max_value, float(layer.threshold or 0)
    if not slope and not threshold and ceiling == 6:
        return reading.add("relu6", node)
    ceiling = None if ceiling is None else float(ceiling)
    return reading.add("relu", node, negative_slope=slope, max_value=ceiling, threshold=threshold)


def _leaky(reading: Reading, node: int, layer: Any) -> int:
    return reading.add("leaky_relu", node, negative_slope=float(layer.negative_slope))


def _elu(reading: Reading, node: int, layer: Any) -> int:
    return reading.add("elu", node, alpha=float(layer.alpha))


def _softmax(reading: Reading, node: int, layer: Any) -> int:
    rank = len(reading.shape(node))
    if not isinstance(layer.axis, int):
        raise NotReadable(f"its softmax is over the axes {layer.axis}, and that of a page is over one")
    return reading.add("softmax", node, axis=-1 if layer.axis == rank else layer.axis)


ACTIVATIONS = {"ReLU": _relu, "LeakyReLU": _leaky, "ELU": _elu, "Softmax": _softmax}


@reads(*ACTIVATIONS)
def activation_layer(reading: Reading) -> int:
    return read_activation_layer(reading, reading.inputs[0], reading.layer)


@reads("Activation")
def activation(reading: Reading) -> int:
    return function(reading, reading.inputs[0], reading.layer.activation)


@reads("PReLU")
def prelu(reading: Reading) -> int:
    return reading.add("prelu", shared_axes=reading.layer.shared_axes or None)
