"""Normalization by mean and variance: bn, layer_norm, group_norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import BOOLEAN, FRACTION, INTEGER, POSITIVE_NUMBER, Schema, arg, declared
from archspec.ops.base import (
    EVERYTHING,
    POINTWISE,
    Layer,
    Op,
    OpError,
    Shape,
    View,
    Weight,
    channels,
    keras_axis,
    only_last_axis,
    show,
)

AXES: Schema = {"type": ["integer", "array"], "items": INTEGER, "minItems": 1}
GROUPS: Schema = {"type": "integer", "minimum": -1}


class Normalization(Op):
    """Base of the normalizations with a learned scale and shift."""

    center: bool
    scale: bool

    def learned(self, *shape: int) -> tuple[Weight, ...]:
        """gamma and beta of that shape, in Keras's order."""
        gamma = (Weight("gamma", shape),) if self.scale else ()
        return (*gamma, Weight("beta", shape)) if self.center else gamma

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

    def shape(self, *inputs: Shape) -> Shape:
        channels(inputs[0], self.name)
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        shape = (channels(inputs[0], self.name),)
        moving = (Weight("moving_mean", shape, False), Weight("moving_variance", shape, False))
        return (*self.learned(*shape), *moving)


@declared
class LayerNormalization(Normalization):
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
    axis: int | tuple[int, ...] = arg(AXES, "axis or axes, counted as in Keras: -1 is the channels", -1)
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

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        sizes = []
        for axis in self.axes(x):
            size = x[axis]
            if size is None:
                raise OpError(f"`layer_norm` needs a known size along its axis, but its input is {show(x)}", "axis")
            sizes.append(size)
        return self.learned(*sizes)

    def shape(self, *inputs: Shape) -> Shape:
        self.weights(*inputs)
        return inputs[0]

    def view(self, *inputs: Shape) -> View:
        (x,) = inputs
        return POINTWISE if self.axes(x) == (len(x) - 1,) else EVERYTHING

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            # Keras sorts the axes before it resolves negative ones, which would swap the sizes of gamma
            axis = -1 if self.axis == -1 else [index + 1 for index in self.axes(tuple(x.shape)[1:])]
            layer = keras.layers.LayerNormalization(
                axis=axis, epsilon=self.epsilon, center=self.center, scale=self.scale, name=name
            )
            return layer(x)

        return call


@declared
class GroupNormalization(Normalization):
    """Normalization of each sample over all positions and a group of channels (Wu & He 2018, section 3).

    Shapes: (..., C) -> (..., C).
    Weights: gamma, beta (C,).
    """

    name = "group_norm"
    kind = "norm"
    keras_layers = ("GroupNormalization",)
    examples = (
        ({"groups": 2}, [(5, 7, 4)]),
        ({"groups": -1, "epsilon": 1e-5, "scale": False}, [(5, 4, 3)]),
        ({"groups": 1, "center": False}, [(None, None, 4)]),
    )

    groups: int = arg(GROUPS, "number of groups; -1 for one group for each channel (instance normalization)", 32)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the variance", 1e-3)
    center: bool = arg(BOOLEAN, "add a learned beta", True)
    scale: bool = arg(BOOLEAN, "multiply by a learned gamma", True)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        entering = channels(x, self.name)
        if self.groups != -1 and (not self.groups or entering % self.groups):
            raise OpError(
                f"{entering} input channels cannot be split into {self.groups} groups",
                "groups",
                f"`groups` must divide {entering} (the input channels), or be -1",
            )
        return x

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        return self.learned(channels(inputs[0], self.name))

    def view(self, *inputs: Shape) -> View:
        return EVERYTHING
