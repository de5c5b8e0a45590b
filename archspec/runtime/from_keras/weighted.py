"""How layers with weights are read."""

from __future__ import annotations

from typing import Any

from archspec.runtime.from_keras.activations import activated
from archspec.runtime.from_keras.arguments import channels_last, last_axis, sizes
from archspec.runtime.from_keras.reading import NotReadable, Reading, reads


def _window(layer: Any) -> dict[str, Any]:
    """The arguments that all convolutions have."""
    channels_last(layer)
    return {
        "kernel_size": sizes(layer.kernel_size),
        "strides": sizes(layer.strides),
        "padding": layer.padding,
        "dilation_rate": sizes(layer.dilation_rate),
        "use_bias": layer.use_bias,
    }


@reads("Conv1D", "Conv2D", "Conv3D")
def conv(reading: Reading) -> int:
    layer = reading.layer
    node = reading.add("conv", filters=layer.filters, groups=layer.groups, **_window(layer))
    return activated(reading, node, layer.activation)


@reads("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(reading: Reading) -> int:
    layer = reading.layer
    node = reading.add("depthwise_conv", depth_multiplier=layer.depth_multiplier, **_window(layer))
    return activated(reading, node, layer.activation)


@reads("SeparableConv1D", "SeparableConv2D")
def separable(reading: Reading) -> int:
    layer = reading.layer
    node = reading.add(
        "separable_conv", filters=layer.filters, depth_multiplier=layer.depth_multiplier, **_window(layer)
    )
    return activated(reading, node, layer.activation)


@reads("Dense")
def dense(reading: Reading) -> int:
    layer = reading.layer
    return activated(reading, reading.add("dense", units=layer.units, use_bias=layer.use_bias), layer.activation)


@reads("BatchNormalization")
def batch_normalization(reading: Reading) -> int:
    layer = reading.layer
    last_axis(reading, layer.axis)
    if getattr(layer, "renorm", False):
        raise NotReadable("it renormalizes")
    return reading.add("bn", momentum=layer.momentum, epsilon=layer.epsilon, center=layer.center, scale=layer.scale)


@reads("LayerNormalization")
def layer_normalization(reading: Reading) -> int:
    layer = reading.layer
    if getattr(layer, "rms_scaling", False):
        raise NotReadable("it scales by the root mean square alone")
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    last = axes in ([-1], [len(reading.shape(reading.inputs[0]))])
    axis = -1 if last else tuple(axes)
    return reading.add("layer_norm", epsilon=layer.epsilon, axis=axis, center=layer.center, scale=layer.scale)


@reads("GroupNormalization")
def group_normalization(reading: Reading) -> int:
    layer = reading.layer
    last_axis(reading, layer.axis)
    return reading.add("group_norm", groups=layer.groups, epsilon=layer.epsilon, center=layer.center, scale=layer.scale)


@reads("MultiHeadAttention")
def attention(reading: Reading) -> int:
    layer = reading.layer
    if len(set(reading.inputs)) > 1 or layer.value_dim != layer.key_dim or getattr(layer, "use_gate", False):
        raise NotReadable("it is no self-attention with keys and values of one size")
    heads, size = layer.num_heads, layer.key_dim
    channels = reading.shape(reading.inputs[0])[-1]
    return reading.add(
        "attention",
        reading.inputs[0],
        num_heads=heads,
        key_dim=None if heads * size == channels else size,
        dropout=float(layer.dropout),
        use_bias=layer.use_bias,
    )


@reads("LayerScale")  # of keras.applications.convnext
def layer_scale(reading: Reading) -> int:
    return reading.add("layer_scale", init_value=float(reading.layer.init_values))
