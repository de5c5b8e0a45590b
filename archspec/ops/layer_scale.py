"""Learned scales of the channels: layer_scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import NUMBER, arg, declared
from archspec.ops.base import Layer, Op, Shape, Weight, channels


@declared
class LayerScale(Op):
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

    def shape(self, *inputs: Shape) -> Shape:
        channels(inputs[0], self.name)
        return inputs[0]

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        size = channels(x, self.name)
        spatial = len(x) - 1
        return (Weight("kernel", (*(1,) * spatial, size, 1) if spatial in (1, 2) else (size,), scale=True),)

    def build(self, keras: Any, name: str) -> Layer:
        start = keras.initializers.Constant(self.init_value)

        def call(x: Any) -> Any:
            spatial = len(x.shape) - 2
            if spatial in (1, 2):  # ten times faster on a CPU than einsum
                depthwise = getattr(keras.layers, f"DepthwiseConv{spatial}D")
                return depthwise(1, use_bias=False, depthwise_initializer=start, name=name)(x)
            axes = "bdhw"[: len(x.shape) - 1]
            equation = f"{axes}c,c->{axes}c"
            return keras.layers.EinsumDense(equation, x.shape[1:], kernel_initializer=start, name=name)(x)

        return call

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        return None if super().from_keras(layer) is None else {"init_value": float(layer.init_values)}
