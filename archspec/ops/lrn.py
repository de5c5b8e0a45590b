"""Local response normalization."""

from __future__ import annotations

from typing import Any

from archspec.declare import NATURAL, NUMBER, POSITIVE_NUMBER, arg, declared
from archspec.ops.base import Layer, Op, Shape, channels, product


@declared
class LocalResponseNormalization(Op):
    """Normalization across neighbouring channels (Krizhevsky et al. 2012, section 3.3).

    Shapes: (..., C) -> (..., C); x / (bias + alpha sum(x^2))^beta, the sum over 2 depth_radius + 1 channels.
    alpha multiplies the plain sum, as in the paper and `tf.nn.lrn`; Caffe and PyTorch divide it by the window size.
    """

    name = "lrn"
    examples = (
        ({}, [(4, 3, 7)]),
        ({"depth_radius": 1, "bias": 1, "alpha": 0.02, "beta": 0.5}, [(4, 7)]),
        ({}, [(None, None, 3)]),
    )

    depth_radius: int = arg(NATURAL, "channels on each side; n = 2 depth_radius + 1 in the paper", 2)
    bias: float = arg(POSITIVE_NUMBER, "k in the paper", 2)
    alpha: float = arg({"type": "number", "minimum": 0}, "factor of the sum of squares", 1e-4)
    beta: float = arg(NUMBER, "exponent", 0.75)

    def shape(self, *inputs: Shape) -> Shape:
        channels(inputs[0], self.name)
        return inputs[0]

    def workspace(self, *inputs: Shape) -> float | None:
        size = product(inputs[0])
        return None if size is None else 2 * size  # the input of the logarithm and the output of the exponential

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            import numpy as np

            ops = keras.ops
            channel = np.arange(x.shape[-1])
            band = (abs(channel[:, None] - channel) <= self.depth_radius).astype("float32")
            squares = ops.matmul(ops.square(x), band)  # the sum over neighbours; twice as fast as tf.nn.lrn
            scaled = x * ops.exp(-self.beta * ops.log(self.bias + self.alpha * squares))
            return keras.layers.Identity(name=name)(scaled)

        return call
