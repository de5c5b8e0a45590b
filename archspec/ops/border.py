"""What widens or narrows a feature map without arithmetic: zero_pad, crop, pad_channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.declare import POSITIVE, arg
from archspec.ops.base import Layer, Op, OpError, Shape, View, Window, channels, counted, show, spatial
from archspec.ops.window import SIDES, bordered, explicit


@dataclass(frozen=True)
class ZeroPad(Op):
    """Zeros around the feature map.

    Shapes: (H, W, C) -> (H + top + bottom, W + left + right, C).
    """

    name = "zero_pad"
    examples = (
        ({}, [(5, 4, 3)]),
        ({"padding": [1, 2]}, [(5, None, 3)]),
        ({"padding": [[0, 1], [2, 0]]}, [(5, 4, 3)]),
        ({"padding": [[3, 0]]}, [(5, 3)]),
        ({"padding": 2}, [(5, 4, 2, 3)]),
    )

    padding: Any = arg(SIDES, "zeros on each side, pixels", 1)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        axes = spatial(x, self.name)
        sides = explicit(self.padding, len(axes))
        return (*(None if n is None else n + sum(side) for n, side in zip(axes, sides, strict=True)), x[-1])

    def view(self, *inputs: Shape) -> View:
        return tuple(Window(before=before) for before, _ in explicit(self.padding, len(inputs[0]) - 1))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: bordered(keras, "ZeroPadding", explicit(self.padding, len(x.shape) - 2), name)(x)


@dataclass(frozen=True)
class Crop(Op):
    """Rows and columns cut off at the borders of the feature map.

    Shapes: (H, W, C) -> (H - top - bottom, W - left - right, C).
    """

    name = "crop"
    examples = (
        ({"cropping": 1}, [(5, 4, 3)]),
        ({"cropping": [1, 0]}, [(5, None, 3)]),
        ({"cropping": [[0, 1], [2, 0]]}, [(5, 4, 3)]),
        ({"cropping": [[3, 0]]}, [(5, 3)]),
        ({"cropping": [[1, 0], [0, 2], [1, 1]]}, [(5, 4, 7, 3)]),
    )

    cropping: Any = arg(SIDES, "what is cut off on each side, pixels")

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        axes = spatial(x, self.name)
        sides = explicit(self.cropping, len(axes), "cropping")
        for n, side in zip(axes, sides, strict=True):
            if n is not None and n <= sum(side):
                raise OpError(f"cannot crop {counted(sum(side), 'pixel')} from {n}: the input is {show(x)}", "cropping")
        return (*(None if n is None else n - sum(side) for n, side in zip(axes, sides, strict=True)), x[-1])

    def view(self, *inputs: Shape) -> View:
        return tuple(Window(before=-before) for before, _ in explicit(self.cropping, len(inputs[0]) - 1, "cropping"))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: bordered(keras, "Cropping", explicit(self.cropping, len(x.shape) - 2, "cropping"), name)(x)


@dataclass(frozen=True)
class PadChannels(Op):
    """Channels of zeros after those of the input: the shortcut without parameters (He et al. 2016, option A).

    Shapes: (H, W, C) -> (H, W, channels).
    """

    name = "pad_channels"
    examples = (
        ({"channels": 7}, [(5, 4, 3)]),
        ({"channels": 5}, [(3,)]),
        ({"channels": 3}, [(None, None, 3)]),
    )

    channels: int = arg(POSITIVE, "output channels")

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        entering = channels(x, self.name)
        if self.channels < entering:
            raise OpError(
                f"cannot pad {entering} channels to {self.channels}",
                "channels",
                "use `conv` with `kernel_size: 1` for fewer channels",
            )
        return (*x[:-1], self.channels)

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            more = self.channels - x.shape[-1]
            if more:
                x = keras.ops.pad(x, (*((0, 0),) * (len(x.shape) - 1), (0, more)))
            return keras.layers.Identity(name=name)(x)

        return call
