"""Normalizations: bn, layer_norm, rms_norm, group_norm, unit_norm, lrn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from archspec.declare import BOOLEAN, FRACTION, INTEGER, NATURAL, NUMBER, POSITIVE_NUMBER, Schema, arg, declared
from archspec.ops.base import (
    EVERYTHING,
    POINTWISE,
    Functional,
    Op,
    OpError,
    Shape,
    View,
    Weight,
    channels,
    constants,
    keras_axis,
    of_class,
    only_last_axis,
    product,
    show,
)

AXES: Schema = {"type": ["integer", "array"], "items": INTEGER, "minItems": 1}
GROUPS: Schema = {"type": "integer", "minimum": -1}


@lru_cache(maxsize=4096)  # networks have few different numbers of channels
def _learned(center: bool, scale: bool, *shape: int) -> tuple[Weight, ...]:
    gamma = (Weight("gamma", shape),) if scale else ()
    return (*gamma, Weight("beta", shape)) if center else gamma


@lru_cache(maxsize=4096)
def _moving(channels: int) -> tuple[Weight, ...]:
    return (Weight("moving_mean", (channels,), False), Weight("moving_variance", (channels,), False))


class Normalization(Op):
    """Base of the normalizations with a learned scale and shift."""

    center: bool
    scale: bool

    def learned(self, *shape: int) -> tuple[Weight, ...]:
        """gamma and beta of that shape, in Keras's order."""
        return _learned(self.center, self.scale, *shape)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        if given and "axis" not in given:
            only_last_axis(layer)
        for flag in ("renorm", "rms_scaling"):
            if given and getattr(layer, flag, False):
                raise OpError(f"`{cls.name}` has no `{flag}`")
        return given


@declared
class BatchNormalization(Normalization):
    """Batch normalization of each channel (Ioffe & Szegedy 2015, section 3).

    Shapes: (..., C) -> (..., C).
    Weights: gamma, beta (C,); moving_mean, moving_variance (C,), which are not trained.
    """

    name = "bn"
    kind = "bn"
    keras_layers = ("BatchNormalization",)
    examples = (
        ({}, [(5, 4, 3)]),
        ({"momentum": 0.9, "epsilon": 1e-5, "scale": False}, [(5, 4, 3)]),
        ({"center": False}, [(7,)]),
    )

    momentum: float = arg(FRACTION, "weight of the old value in the moving statistics at each step", 0.99)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the variance", 1e-3)
    center: bool = arg(BOOLEAN, "add a learned beta", True)
    scale: bool = arg(BOOLEAN, "multiply by a learned gamma", True)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        entering = channels(x, self.name)
        return (*self.learned(entering), *_moving(entering))


@declared
class LayerNormalization(Normalization, Functional):
    """Normalization of each sample over one or more axes, by default the channels (Ba et al. 2016, section 3).

    Shapes: (..., C) -> (..., C).
    Weights: gamma, beta with the sizes of the axes: (C,) by default.
    """

    name = "layer_norm"
    kind = "norm"
    keras_layers = ("LayerNormalization",)
    examples = (
        ({}, [(5, 4, 3)]),
        ({"epsilon": 1e-6, "center": False}, [(7,)]),
        ({"axis": [-1, 1], "scale": False}, [(5, None, 3)]),
    )

    epsilon: float = arg(POSITIVE_NUMBER, "added to the variance", 1e-3)
    axis: int | tuple[int, ...] = arg(AXES, "axis or axes, from 1 because axis 0 is the batch; -1 is the channels", -1)
    center: bool = arg(BOOLEAN, "add a learned beta", True)
    scale: bool = arg(BOOLEAN, "multiply by a learned gamma", True)

    def axes(self, x: Shape) -> tuple[int, ...]:
        """Indices of the axes in `x`. Raises OpError for an axis that does not exist or is given twice."""
        if self.axis == -1:
            return (len(x) - 1,)
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = tuple(sorted(keras_axis(axis, x) for axis in given))
        if len(set(axes)) < len(axes):
            raise OpError(f"`axis` contains an axis of {show(x)} twice", "axis")
        return axes

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        sizes = []
        for axis in self.axes(x):
            size = x[axis]
            if size is None:
                raise OpError(f"`layer_norm` needs a known size along its axis, but its input is {show(x)}", "axis")
            sizes.append(size)
        return self.learned(*sizes)

    def view(self, x: Shape, *others: Shape) -> View:
        return POINTWISE if self.axes(x) == (len(x) - 1,) else EVERYTHING

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        # Keras sorts the axes before it resolves negative ones, which would swap the sizes of gamma
        axis = -1 if self.axis == -1 else [index + 1 for index in self.axes(tuple(x.shape)[1:])]
        return keras.layers.LayerNormalization(**{**vars(self), "axis": axis}, name=name)(x)


@declared
class GroupNormalization(Normalization):
    """Normalization of each sample over all positions and a group of channels (Wu & He 2018, section 3).

    Shapes: (..., C) -> (..., C).
    Weights: gamma, beta (C,).
    """

    name = "group_norm"
    kind = "norm"
    keras_layers = ("GroupNormalization",)
    reads = EVERYTHING
    examples = (
        ({"groups": 2}, [(5, 7, 4)]),
        ({"groups": -1, "epsilon": 1e-5, "scale": False}, [(5, 4, 3)]),
        ({"groups": 1, "center": False}, [(None, None, 4)]),
    )

    groups: int = arg(GROUPS, "number of groups; -1 for one group for each channel (instance normalization)", 32)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the variance", 1e-3)
    center: bool = arg(BOOLEAN, "add a learned beta", True)
    scale: bool = arg(BOOLEAN, "multiply by a learned gamma", True)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        entering = channels(x, self.name)
        if self.groups != -1 and (not self.groups or entering % self.groups):
            raise OpError(
                f"{entering} input channels cannot be split into {self.groups} groups",
                "groups",
                f"`groups` must divide {entering} (the input channels), or be -1",
            )
        return x

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        return self.learned(channels(x, self.name))


@declared
class RmsNormalization(Functional):
    """Division by the root mean square of the channels of each position (Zhang & Sennrich 2019, equation 4).

    Shapes: (..., C) -> (..., C); x scale / sqrt(mean(x^2) + epsilon).
    Weights: scale (C,).
    """

    name = "rms_norm"
    kind = "norm"
    keras_layers = ("RMSNormalization",)
    examples = (
        ({}, [(5, 4, 3)]),
        ({"epsilon": 1e-5}, [(None, 7)]),
    )

    epsilon: float = arg(POSITIVE_NUMBER, "added to the mean of the squares", 1e-6)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        return (Weight("scale", (channels(x, self.name),)),)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        return keras.layers.RMSNormalization(epsilon=self.epsilon, name=name)(x)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        if given is not None:
            only_last_axis(layer)
        return given


@declared
class UnitNormalization(Functional):
    """Division by the Euclidean norm along an axis, by default of the channels of each position.

    Shapes: (..., C) -> (..., C); x / max(sqrt(sum(x^2)), 1e-12).
    """

    name = "unit_norm"
    keras_layers = ("UnitNormalization",)
    keeps = ("inputs", "output")
    examples = (
        ({}, [(5, 4, 3)]),
        ({"axis": 1}, [(5, 7)]),
    )

    axis: int | tuple[int, ...] = arg(AXES, "axis or axes, from 1 because axis 0 is the batch; -1 is the channels", -1)

    def axes(self, x: Shape) -> tuple[int, ...]:
        """Indices of the axes in `x`. Raises OpError for an axis that does not exist or is given twice."""
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = tuple(keras_axis(axis, x) for axis in given)
        if len({*axes}) < len(axes):
            raise OpError(f"`axis` contains an axis of {show(x)} twice", "axis")
        return axes

    def shape(self, x: Shape, *others: Shape) -> Shape:
        self.axes(x)
        return x

    def view(self, x: Shape, *others: Shape) -> View:
        return POINTWISE if self.axes(x) == (len(x) - 1,) else EVERYTHING

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        axes = [-1 if index == len(x.shape) - 2 else index + 1 for index in self.axes(tuple(x.shape)[1:])]
        return keras.layers.UnitNormalization(axis=axes[0] if len(axes) == 1 else axes, name=name)(x)


@declared
class LocalResponseNormalization(Functional):
    """Normalization across neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    Shapes: (..., C) -> (..., C); x / (bias + alpha sum(x^2))^beta, the sum over 2 depth_radius + 1 channels.
    alpha multiplies the plain sum, as in the paper and `tf.nn.lrn`; Caffe and PyTorch divide it by the window size.
    """

    name = "lrn"
    last_layers = ("Identity",)
    examples = (
        ({}, [(4, 3, 7)]),
        ({"depth_radius": 1, "bias": 1, "alpha": 0.02, "beta": 0.5}, [(4, 7)]),
        ({}, [(None, None, 3)]),
    )

    depth_radius: int = arg(NATURAL, "channels on each side; n = 2 depth_radius + 1 in the paper", 2)
    bias: float = arg(POSITIVE_NUMBER, "k in the paper", 2)
    alpha: float = arg({"type": "number", "minimum": 0}, "factor of the sum of squares", 1e-4)
    beta: float = arg(NUMBER, "exponent", 0.75)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        channels(x, self.name)
        return x

    def workspace(self, x: Shape, *others: Shape) -> float | None:
        size = product(x)
        return None if size is None else 2 * size  # the input of the logarithm and the output of the exponential

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        import numpy as np

        ops = keras.ops
        channel = np.arange(x.shape[-1])
        band = (abs(channel[:, None] - channel) <= self.depth_radius).astype("float32")
        squares = ops.matmul(ops.square(x), band)  # the sum over neighbours; twice as fast as tf.nn.lrn
        scaled = x * ops.exp(-self.beta * ops.log(self.bias + self.alpha * squares))
        return keras.layers.Identity(name=name)(scaled)

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        sums, products, added = (of_class(layers, name) for name in ("Matmul", "Multiply", "Add"))
        if not (len(sums) == len(added) == 1 and len(products) == 3 and x and x[-1]):
            return None
        (band,), (bias,), (alpha,), (exponent,) = map(constants, (*sums, *added, *products[:2]))
        return {"depth_radius": int(band[0].sum()) - 1, "bias": bias, "alpha": alpha, "beta": -exponent}
