"""Scaling of the channels by fixed values, rescale and normalize, or by learned ones, layer_scale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archspec.declare import NUMBER, POSITIVE_NUMBER, arg, declared, for_each_channel, thaw
from archspec.diagnostics import counted
from archspec.ops.base import Functional, OpError, Shape, Weight, channels, only_last_axis, plain

Values = float | tuple[float, ...]


PER_CHANNEL = for_each_channel(NUMBER)


class Scaling(Functional):
    """Base of the fixed scalings: each argument is one value, or one for each channel."""

    def shape(self, x: Shape, *others: Shape) -> Shape:
        for argument, value in vars(self).items():
            if isinstance(value, tuple) and len(value) != channels(x, self.name):
                counts = f"{counted(len(value), 'value')} for {counted(channels(x, self.name), 'input channel')}"
                raise OpError(f"`{argument}` has {counts}", argument, "give one value, or one for each channel")
        return x


@declared
class Rescale(Scaling):
    """x scale + offset, as `keras.layers.Rescaling`: `{scale: 0.00784314, offset: -1}` maps 0..255 to -1..1.

    Shapes: as its input.
    """

    name = "rescale"
    keras_layers = ("Rescaling",)
    keeps = ()
    examples = (
        ({"scale": 0.5}, [(5, 4, 3)]),
        ({"scale": [0.5, 1, 2], "offset": [-1, 0, 1]}, [(None, None, 3)]),
        ({"scale": 2, "offset": -1.5}, [(7,)]),
    )

    scale: Values = arg(PER_CHANNEL, "factor, or one for each channel")
    offset: Values = arg(PER_CHANNEL, "added after scaling; one value, or one for each channel", 0.0)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        return keras.layers.Rescaling(thaw(self.scale), thaw(self.offset), name=name)(x)


@declared
class NormalizeInput(Scaling):
    """(x - mean) / sqrt(variance), as `keras.layers.Normalization` with given statistics.

    Shapes: as its input. The statistics are part of the spec and are not trained.
    """

    name = "normalize"
    keras_layers = ("Normalization",)
    keeps = ()
    examples = (
        ({"mean": [0.5, 0.25, 0], "variance": [1, 2, 4]}, [(5, 4, 3)]),
        ({"mean": [120, 110, 100]}, [(None, None, 3)]),
        ({"mean": 0.5, "variance": 4}, [(7,)]),
    )

    mean: Values = arg(PER_CHANNEL, "mean, which is subtracted; one value, or one for each channel")
    variance: Values = arg(
        for_each_channel(POSITIVE_NUMBER),
        "variance; the result is divided by its square root",
        1.0,
    )

    def shape(self, x: Shape, *others: Shape) -> Shape:
        channels(x, self.name)
        return super().shape(x)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        # Keras accepts two single values or two lists
        mean, variance = (
            list(value) if isinstance(value, tuple) else [value] * x.shape[-1] for value in (self.mean, self.variance)
        )
        return keras.layers.Normalization(mean=mean, variance=variance, name=name)(x)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        import numpy as np

        if super().from_keras(layer) is None:
            return None
        if layer.invert:
            raise OpError("`invert` undoes a normalization")
        if layer.axis:
            only_last_axis(layer)
        given = {"mean": layer.input_mean, "variance": layer.input_variance}
        for name, value in given.items():
            value = getattr(layer, f"adapt_{name}", None) if value is None else value
            if value is None:
                raise OpError("it has no statistics")
            given[name] = plain(np.asarray(value, "float64").reshape(-1), PER_CHANNEL)
        return given


@declared
class LayerScale(Functional):
    """Multiply each channel by a learned factor that starts near zero (Touvron et al. 2021, CaiT, section 2.1).

    Shapes: (..., C) -> (..., C).
    Weights: kernel, one value per channel: (1, C, 1) in 1-D, (1, 1, C, 1) in 2-D, else (C,).
    """

    name = "layer_scale"
    keras_layers = ("LayerScale",)  # of keras.applications.convnext
    examples = (
        ({}, [(5, 4, 3)]),
        ({"init_value": 0.1}, [(None, 3)]),
        ({"init_value": 1}, [(7,)]),
        ({}, [(5, 4, 2, 3)]),
    )

    init_value: float = arg(NUMBER, "initial value of the factors", 1e-6)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        size = channels(x, self.name)
        spatial = len(x) - 1
        return (Weight("kernel", (*(1,) * spatial, size, 1) if spatial in (1, 2) else (size,), scale=True),)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        start, spatial = keras.initializers.Constant(self.init_value), len(x.shape) - 2
        if spatial in (1, 2):  # ten times faster on a CPU than einsum
            depthwise = getattr(keras.layers, f"DepthwiseConv{spatial}D")
            return depthwise(1, use_bias=False, depthwise_initializer=start, name=name)(x)
        axes = "bdhw"[: len(x.shape) - 1]
        equation = f"{axes}c,c->{axes}c"
        return keras.layers.EinsumDense(equation, x.shape[1:], kernel_initializer=start, name=name)(x)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        if type(layer).__name__ == "EinsumDense" and re.fullmatch(r"([b-w]+)c,c->\1c", layer.equation):
            return {"init_value": float(getattr(layer.kernel_initializer, "value", 1))}
        return None if super().from_keras(layer) is None else {"init_value": float(layer.init_values)}
