"""A choice of channels, or of one position: select_channels, take."""

from __future__ import annotations

from typing import Any

from archspec.declare import INTEGER, NATURAL, arg, declared
from archspec.ops.base import EVERYTHING, Layer, Op, OpError, Shape, View, channels, keras_axis


@declared
class SelectChannels(Op):
    """The channels of the given positions, counted from 0: partial connections, as in LeNet-5.

    Shapes: (H, W, C) -> (H, W, len(indices)).
    Source: LeCun et al. 1998, Table I.
    """

    name = "select_channels"
    keeps = ()
    examples = (
        ({"indices": [0, 3, 4]}, [(7, 5, 6)]),
        ({"indices": [2, 0]}, [(None, None, 3)]),
        ({"indices": [1]}, [(4,)]),
    )

    indices: tuple[int, ...] = arg(
        {"type": "array", "items": NATURAL, "minItems": 1}, "positions of the channels to keep, in order"
    )

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        entering = channels(x, self.name)
        if max(self.indices) >= entering:
            raise OpError(
                f"there is no channel {max(self.indices)} among {entering}",
                "indices",
                f"channels are counted from 0 to {entering - 1}",
            )
        return (*x[:-1], len(self.indices))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: keras.layers.Identity(name=name)(keras.ops.take(x, list(self.indices), axis=-1))


@declared
class Take(Op):
    """One position along an axis, which disappears: the class token of a sequence is `take: 0`.

    Shapes: (L, C) -> (C,); (H, W, C) -> (W, C).
    """

    name = "take"
    keeps = ()
    examples = (
        ({"indices": 0}, [(7, 4)]),
        ({"indices": -1}, [(None, 5, 3)]),
        ({"indices": 2, "axis": 2}, [(None, 5, 3)]),
    )

    indices: int = arg(INTEGER, "the position, from 0; -1 is the last")
    axis: int = arg(INTEGER, "axis, as Keras counts it: 0 is the batch, -1 the channels", 1)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        index = keras_axis(self.axis, x)
        if len(x) == 1:
            raise OpError("`take` of a vector would leave nothing", help="use `select_channels`, which keeps the axis")
        size = x[index]
        if size is not None and not -size <= self.indices < size:
            raise OpError(f"there is no position {self.indices} among {size}", "indices")
        return (*x[:index], *x[index + 1 :])

    def view(self, *inputs: Shape) -> View:
        return EVERYTHING

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            axis = keras_axis(self.axis, tuple(x.shape)[1:]) + 1
            return keras.layers.Identity(name=name)(x[(*(slice(None),) * axis, self.indices)])

        return call
