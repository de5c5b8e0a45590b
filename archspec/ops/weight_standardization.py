"""Weight standardization: the filters of a convolution with mean 0 and a fixed variance, from stock Keras layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archspec.declare import POSITIVE_NUMBER, Schema, arg
from archspec.ops.base import OpError, Weight

SCALED = "scaled"
EPSILON = 1e-6
"""The default of timm's StdConv2d and ScaledStdConv2d."""

STANDARDIZE: Schema = {"enum": [False, True, SCALED]}


def standardize_arg() -> Any:
    """The argument `standardize` of a convolution."""
    return arg(
        STANDARDIZE, "standardize each filter: its mean is 0 and its variance 1, or 1 / fan-in (`scaled`)", False
    )


def epsilon_arg() -> Any:
    """The argument `epsilon` of a convolution."""
    return arg(POSITIVE_NUMBER, "with `standardize`, added to the variance of each filter", EPSILON)


def standardized_weights(
    kernel: tuple[int, ...], filters: int, standardize: bool | str, use_bias: bool
) -> tuple[Weight, ...]:
    """The weights of a convolution with standardized filters. Raises OpError for filters of one weight."""
    if math.prod(kernel) == filters:
        raise OpError(
            "each filter has one weight, which is 0 when it is standardized",
            "standardize",
            "use a larger window or more input channels, or leave `standardize` out",
        )
    bias = (Weight("bias/embeddings", (1, filters)),) if use_bias else ()
    gain = (Weight("gain/gamma", (filters,)),) if standardize == SCALED else ()
    return (Weight("filters/kernel", kernel), *bias, *gain)


def one_sample(keras: Any, x: Any) -> Any:
    """A 1 for the first sample of the batch `x`: (1,). Layers without an input of their own read it."""
    return keras.ops.ones_like(x[(slice(0, 1), *(0,) * (len(x.shape) - 1))])


def standardized_kernel(
    keras: Any, x: Any, kernel: Sequence[int], filters: int, standardize: bool | str, epsilon: float, name: str
) -> Any:
    """The kernel of the layer `name.filters`, standardized over the weights of each filter.

    Stock layers make it, so a model file needs no code of archspec. Group normalization of the weights, with a group
    for each filter, subtracts the mean and divides by sqrt(variance + epsilon); its gamma is the gain.
    """
    letters = "bcdef"[: len(kernel)]
    layer = keras.layers.EinsumDense(f"a,{letters}->a{letters}", tuple(kernel), name=f"{name}.filters")
    fan_in, scaled = math.prod(kernel) // filters, standardize == SCALED
    columns = keras.ops.reshape(layer(one_sample(keras, x)), (1, fan_in, filters))
    word = "gain" if scaled else "standardized"
    normalize = keras.layers.GroupNormalization(
        groups=filters, epsilon=epsilon, center=False, scale=scaled, name=f"{name}.{word}"
    )
    standardized = normalize(columns)
    if scaled:
        standardized = standardized * fan_in**-0.5
    return keras.ops.reshape(standardized, tuple(kernel))


def bias_of(keras: Any, x: Any, filters: int, name: str) -> Any:
    """The learned vector (filters,) of the layer `name.bias`."""
    place = keras.ops.cast(one_sample(keras, x), "int32") - 1
    layer = keras.layers.Embedding(1, filters, embeddings_initializer="zeros", name=f"{name}.bias")
    return keras.ops.reshape(layer(place), (filters,))


def convolved(
    keras: Any,
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int],
    groups: int,
    *,
    by_channel: bool,
) -> Any:
    """The convolution of `x` with a kernel that layers compute; `keras.ops.conv` has no groups for it."""
    ops, given = keras.ops, (strides, padding, "channels_last", dilation)
    if by_channel:
        return ops.depthwise_conv(x, kernel, *given)
    if groups == 1:
        return ops.conv(x, kernel, *given)
    pairs = zip(ops.split(x, groups, axis=-1), ops.split(kernel, groups, axis=-1), strict=True)
    return ops.concatenate([ops.conv(part, filters, *given) for part, filters in pairs], axis=-1)
