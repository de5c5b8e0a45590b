"""Selection of channels or of one position: select_channels, take."""

from __future__ import annotations

from typing import Any

from archspec.declare import INTEGER, NATURAL, arg, declared
from archspec.ops.base import EVERYTHING, Layer, Op, OpError, Shape, View, channels, keras_axis


@declared
class SelectChannels(Op):
    """Select channels by index, from 0: partial connections, as in LeNet-5.

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
        {"type": "array", "items": NATURAL, "minItems": 1}, "indices of the channels to keep, in order"
    )

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        entering = channels(x, self.name)
        if max(self.indices) >= entering:
            raise OpError(
                f"the input has {entering} channels, but no channel {max(self.indices)}",
                "indices",
                f"channels are numbered from 0 to {entering - 1}",
            )
        return (*x[:-1], len(self.indices))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: keras.layers.Identity(name=name)(keras.ops.take(x, list(self.indices), axis=-1))


@declared
class Take(Op):
    """Select one position along an axis and remove the axis: `take: 0` is the class token of a sequence.

    Shapes: (L, C) -> (C,); (H, W, C) -> (W, C).
    """

    name = "take"
    keeps = ()
    examples = (
        ({"indices": 0}, [(7, 4)]),
        ({"indices": -1}, [(None, 5, 3)]),
        ({"indices": 2, "axis": 2}, [(None, 5, 3)]),
    )

    indices: int = arg(INTEGER, "position, from 0; -1 is the last")
    axis: int = arg(INTEGER, "axis, counted as in Keras: 0 is the batch axis, -1 the channels", 1)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        index = keras_axis(self.axis, x)
        if len(x) == 1:
            raise OpError(
                "`take` cannot remove the only axis of a vector", help="use `select_channels`, which keeps the axis"
            )
        size = x[index]
        if size is not None and not -size <= self.indices < size:
            raise OpError(f"axis {self.axis} has {size} positions, but no position {self.indices}", "indices")
        return (*x[:index], *x[index + 1 :])

    def view(self, *inputs: Shape) -> View:
        return EVERYTHING

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            axis = keras_axis(self.axis, tuple(x.shape)[1:]) + 1
            return keras.layers.Identity(name=name)(x[(*(slice(None),) * axis, self.indices)])

        return call
