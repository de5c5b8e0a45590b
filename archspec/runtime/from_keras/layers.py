"""How Keras's layers are read."""

from __future__ import annotations

from typing import Any

from archspec.ops import OPS
from archspec.runtime.from_keras.reading import NotReadable, Reading, reads

CHANNELS_FIRST = "its channels come first, and those of a page come last"


def sizes(values: Any) -> Any:
    """3 for (3, 3); (1, 3) as it is."""
    values = tuple(values)
    return values[0] if len(set(values)) == 1 else values


def sides(values: Any) -> Any:
    """1 for ((1, 1), (1, 1)); (1, 2) for ((1, 1), (2, 2)); ((0, 1), (0, 1)) as it is."""
    pairs = tuple(tuple(pair) if isinstance(pair, (list, tuple)) else (pair, pair) for pair in values)
    if any(before != after for before, after in pairs):
        return pairs
    return sizes(before for before, _ in pairs)


def channels_last(layer: Any) -> None:
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise NotReadable(CHANNELS_FIRST, "build it with data_format='channels_last'")


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


# ---- layers with weights ----


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


def _last_axis(reading: Reading, axis: Any) -> None:
    axes = [axis] if isinstance(axis, int) else list(axis)
    if axes not in ([-1], [len(reading.shape(reading.inputs[0]))]):
        raise NotReadable(f"it normalizes along axis {axis}, and a page along the last, the channels")


@reads("BatchNormalization")
def batch_normalization(reading: Reading) -> int:
    layer = reading.layer
    _last_axis(reading, layer.axis)
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
    _last_axis(reading, layer.axis)
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


# ---- pooling, borders, shapes ----


def _pool(reading: Reading, head: str) -> int:
    layer = reading.layer
    channels_last(layer)
    pool, strides = sizes(layer.pool_size), sizes(layer.strides)
    return reading.add(head, pool_size=pool, strides=None if pool == strides else strides, padding=layer.padding)


@reads("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
def maxpool(reading: Reading) -> int:
    return _pool(reading, "maxpool")


@reads("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")
def avgpool(reading: Reading) -> int:
    return _pool(reading, "avgpool")


@reads("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_avgpool(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("global_avgpool", keepdims=reading.layer.keepdims)


@reads("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_maxpool(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("global_maxpool", keepdims=reading.layer.keepdims)


@reads("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_pad(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("zero_pad", padding=_axes(reading, reading.layer.padding))


@reads("Cropping1D", "Cropping2D", "Cropping3D")
def crop(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("crop", cropping=_axes(reading, reading.layer.cropping))


def _axes(reading: Reading, pixels: Any) -> Any:
    """Keras's 1-D layers have (before, after) where the others have a pair for each axis."""
    return sides((pixels,) if len(reading.shape(reading.inputs[0])) == 2 else pixels)


@reads("UpSampling1D", "UpSampling2D", "UpSampling3D")
def upsample(reading: Reading) -> int:
    layer = reading.layer
    channels_last(layer)
    factor = layer.size if isinstance(layer.size, int) else sizes(layer.size)
    return reading.add("upsample", size=factor, interpolation=getattr(layer, "interpolation", "nearest"))


@reads("Flatten")
def flatten(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("flatten")


@reads("Reshape")
def reshape(reading: Reading) -> int:
    return reshaped(reading, reading.layer.target_shape)


def reshaped(reading: Reading, target: Any) -> int:
    """`flatten` where a vector comes out."""
    if len(target) == 1 and None not in reading.shape(reading.inputs[0]):
        return reading.add("flatten")
    return reading.add("reshape", target_shape=[-1 if size is None else size for size in target])


# ---- merges ----


@reads("Concatenate")
def concat(reading: Reading) -> int:
    axis = reading.layer.axis
    return reading.add("concat", axis=-1 if axis == len(reading.shape(reading.inputs[0])) else axis)


@reads("CustomScaleLayer")  # of keras.applications.inception_resnet_v2: x + scale y
def scaled_sum(reading: Reading) -> int:
    x, y = reading.inputs
    return reading.add("add", x, reading.add("rescale", y, scale=float(reading.layer.scale)))


# ---- dropout and fixed scaling ----


@reads("Dropout")
def dropout(reading: Reading) -> int:
    rate, noise_shape = float(reading.layer.rate), reading.layer.noise_shape
    rank = len(reading.shape(reading.inputs[0]))
    if noise_shape is None:
        return reading.add("dropout", rate=rate)
    if tuple(noise_shape) == (None, *(1,) * rank):
        return reading.add("stochastic_depth", rate=rate)
    return reading.add("dropout", rate=rate, noise_shape=tuple(noise_shape))


@reads("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
def spatial_dropout(reading: Reading) -> int:
    channels_last(reading.layer)
    return reading.add("spatial_dropout", rate=float(reading.layer.rate))


@reads("Rescaling")
def rescale(reading: Reading) -> int:
    return reading.add("rescale", scale=plain(reading.layer.scale), offset=plain(reading.layer.offset))


@reads("Normalization")
def normalize(reading: Reading) -> int:
    layer = reading.layer
    if layer.invert:
        raise NotReadable("it undoes a normalization")
    if layer.axis:
        _last_axis(reading, layer.axis)
    mean, variance = (
        given if given is not None else learned
        for given, learned in (
            (layer.input_mean, getattr(layer, "adapt_mean", None)),
            (layer.input_variance, getattr(layer, "adapt_variance", None)),
        )
    )
    if mean is None or variance is None:
        raise NotReadable("it has no statistics")
    return reading.add("normalize", mean=plain(mean), variance=plain(variance))


def plain(values: Any) -> Any:
    """A number, or a list of numbers that are not all the same."""
    import numpy as np

    flat = [float(value) for value in np.asarray(values).reshape(-1)]
    return flat[0] if len(set(flat)) == 1 else flat


@reads("Identity", "ActivityRegularization", "GaussianNoise", "GaussianDropout")
def nothing(reading: Reading) -> int:
    """What does nothing at inference has no operator, and is left out."""
    return reading.inputs[0]
