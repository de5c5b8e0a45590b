"""Fold batch normalization into the layer before it, for inference."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from archspec.graph.rewrite.channel_affine import of_batch_norm
from archspec.runtime.models.build import deep_recursion
from archspec.runtime.models.fast.grouped_conv import speed_up_grouped_convolutions


def fold_batch_norm(model: Any) -> Any:
    """A model with the same outputs in inference, without each batch normalization that a layer before it can absorb.

    A convolution, depthwise or transposed convolution or dense layer with weights W, b absorbs the normalization after
    it, with gamma g, beta s, mean m and variance v of each channel (Jacob et al. 2017, section 3.2):
    W' = W g / sqrt(v + epsilon), b' = (b - m) g / sqrt(v + epsilon) + s, computed in float64. The layer must be linear,
    compute in float32, be used once, and have no other consumer. All other layers are shared with `model`, which does
    not change.

    Args:
        model: a functional keras.Model; one that is not functional is returned unchanged.
    """
    import keras

    pairs = _pairs(keras, model)
    if not pairs:
        return model
    folded_by = {normalization: layer for layer, normalization in pairs.items()}
    replaced: dict[Any, Any] = {}

    def clone(layer: Any) -> Any:
        if layer in pairs:
            replaced[layer] = type(layer).from_config({**layer.get_config(), "use_bias": True})
        return replaced.get(layer, layer)

    def call(layer: Any, *arguments: Any, **options: Any) -> Any:
        return arguments[0] if layer in folded_by else layer(*arguments, **options)

    with deep_recursion(len(model.layers)):
        folded = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer, normalization in pairs.items():
        replaced[layer].set_weights(_folded_weights(keras, layer, normalization))
    speed_up_grouped_convolutions(folded)
    return folded


def _pairs(keras: Any, model: Any) -> dict[Any, Any]:
    """The layers that absorb a batch normalization, with it."""
    if not hasattr(model, "_nodes_by_depth"):  # Keras has no public access to the calls of a functional model
        return {}
    nodes = [node for depth in model._nodes_by_depth.values() for node in depth if not node.is_input]
    calls = Counter(id(node.operation) for node in nodes)
    uses = Counter(id(tensor) for node in nodes for tensor in node.input_tensors)
    uses.update(id(tensor) for tensor in model.outputs)
    linear = (
        *(getattr(keras.layers, f"Conv{rank}D{kind}") for rank in (1, 2, 3) for kind in ("", "Transpose")),
        keras.layers.DepthwiseConv1D,
        keras.layers.DepthwiseConv2D,
        keras.layers.Dense,
    )
    found = {}
    for node in nodes:
        normalization = node.operation
        if type(normalization) is not keras.layers.BatchNormalization or len(node.input_tensors) != 1:
            continue
        (x,) = node.input_tensors
        layer = x._keras_history.operation
        once = uses[id(x)] == calls[id(layer)] == calls[id(normalization)] == 1
        if type(layer) in linear and once and _fits(keras, layer, normalization, len(x.shape)):
            found[layer] = normalization
    return found


def _fits(keras: Any, layer: Any, normalization: Any, rank: int) -> bool:
    last = normalization.axis in (-1, rank - 1) and getattr(layer, "data_format", "channels_last") == "channels_last"
    plain = layer.compute_dtype == normalization.compute_dtype == "float32" and not getattr(normalization, "renorm", 0)
    return last and plain and layer.activation is keras.activations.linear


def _folded_weights(keras: Any, layer: Any, normalization: Any) -> list[Any]:
    """Kernel and bias of the new layer, in the shapes of Keras."""
    mean, variance = normalization.get_weights()[-2:]
    affine = of_batch_norm(
        mean,
        variance,
        normalization.epsilon,
        np.asarray(normalization.gamma) if normalization.scale else None,
        np.asarray(normalization.beta) if normalization.center else None,
    )
    kernel, bias = np.asarray(layer.kernel, np.float64), np.asarray(layer.bias if layer.use_bias else 0.0, np.float64)
    by_output = affine.scale
    if isinstance(layer, keras.layers.DepthwiseConv1D | keras.layers.DepthwiseConv2D):
        by_output = affine.scale.reshape(kernel.shape[-2:])  # (channels, depth multiplier)
    elif "Transpose" in type(layer).__name__:
        by_output = affine.scale[:, None]  # (..., filters, channels)
    return [kernel * by_output, bias * affine.scale + affine.shift]
