"""Activations along an axis: softmax, log_softmax, sparsemax, glu."""

from __future__ import annotations

from typing import Any

from archspec.declare import INTEGER, arg, declared
from archspec.ops.activation import Activation
from archspec.ops.base import EVERYTHING, POINTWISE, Layer, OpError, Shape, View, keras_axis, show

AXIS = "axis, counted as in Keras: 0 is the batch axis, -1 the channels"


class Along(Activation):
    """Base of the activations along an axis."""

    axis: int
    examples = (
        ({}, [(7,)]),
        ({}, [(None, 4, 6)]),
        ({"axis": 1}, [(4, 5, 6)]),
    )

    def view(self, *inputs: Shape) -> View:
        return POINTWISE if self.axis in (-1, len(inputs[0])) else EVERYTHING


class Distribution(Along):
    """Base of the activations whose output is a distribution along an axis."""

    keeps = ("output",)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if x[keras_axis(self.axis, x)] == 1:
            raise OpError(
                f"`{self.name}` of a single value is constant: the input is {show(x)}",
                "axis",
                "use `sigmoid`, or at least two values",
            )
        return x


@declared
class Softmax(Distribution):
    """exp(x) / sum(exp(x)) along an axis: positive values that sum to 1.

    Shapes: as its input.
    """

    name = "softmax"
    keras_layers = ("Softmax",)
    layer = "Softmax"

    axis: int = arg(INTEGER, AXIS, -1)


@declared
class LogSoftmax(Distribution):
    """Logarithm of the softmax along an axis.

    Shapes: as its input.
    """

    name = "log_softmax"
    keras_layers = ("LogSoftmax",)

    axis: int = arg(INTEGER, AXIS, -1)


@declared
class Sparsemax(Distribution):
    """Euclidean projection onto the probability simplex along an axis: sparse (Martins & Astudillo 2016).

    Shapes: as its input.
    """

    name = "sparsemax"
    keras_layers = ("Sparsemax",)

    axis: int = arg(INTEGER, AXIS, -1)


@declared
class Glu(Along):
    """Gated linear unit: the first half along an axis times the sigmoid of the second (Dauphin et al. 2017, section 2).

    Shapes: (H, W, C) -> (H, W, C / 2).
    """

    name = "glu"
    keras_layers = ("Glu",)
    examples = (
        ({}, [(8,)]),
        ({}, [(None, 4, 6)]),
        ({"axis": 1}, [(4, 5, 3)]),
    )

    axis: int = arg(INTEGER, AXIS, -1)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        index = keras_axis(self.axis, x)
        size = x[index]
        if size is not None and size % 2:
            raise OpError(f"`glu` needs an even size along its axis, but the input is {show(x)}", "axis")
        return (*x[:index], None if size is None else size // 2, *x[index + 1 :])

    def build(self, keras: Any, name: str) -> Layer:
        # not Keras's Activation layer, which declares the shape of its input as its output
        return lambda x: keras.layers.Identity(name=name)(keras.ops.glu(x, axis=self.axis))
