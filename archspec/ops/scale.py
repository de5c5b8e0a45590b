"""Fixed scaling of the input, inside the model: rescale, normalize."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import NUMBER, POSITIVE_NUMBER, Schema, arg, declared
from archspec.ops.base import Layer, Op, OpError, Shape, channels, counted, only_last_axis, plain

Values = float | tuple[float, ...]


def for_each_channel(item: Schema) -> Schema:
    """One value, or one for each channel: `[0.485, 0.456, 0.406]`."""
    return {**item, "type": [item["type"], "array"], "items": item, "minItems": 1}


PER_CHANNEL = for_each_channel(NUMBER)


class Scaling(Op):
    """Base of the fixed scalings: each argument is one value, or one for each channel."""

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
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

    def build(self, keras: Any, name: str) -> Layer:
        layer: Layer = keras.layers.Rescaling(_plain(self.scale), _plain(self.offset), name=name)
        return layer


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

    def shape(self, *inputs: Shape) -> Shape:
        channels(inputs[0], self.name)
        return super().shape(*inputs)

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            # Keras accepts two single values or two lists
            mean, variance = (
                list(value) if isinstance(value, tuple) else [value] * x.shape[-1]
                for value in (self.mean, self.variance)
            )
            return keras.layers.Normalization(mean=mean, variance=variance, name=name)(x)

        return call

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


def _plain(values: Values) -> float | list[float]:
    return list(values) if isinstance(values, tuple) else values
