"""A choice of the channels of a feature map: select_channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.declare import NATURAL, arg
from archspec.ops.base import Layer, Op, OpError, Shape, channels


@dataclass(frozen=True)
class SelectChannels(Op):
    """The channels of the given positions, counted from 0: partial connections, as in LeNet-5.

    Shapes: (H, W, C) -> (H, W, len(indices)).
    Source: LeCun et al. 1998, Table I.
    """

    name = "select_channels"
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
