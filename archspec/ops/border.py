"""Padding and cropping of feature maps: zero_pad, same_pad, crop, pad_channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import POSITIVE, SIZES, arg, declared
from archspec.ops.base import Layer, Op, OpError, Shape, View, Window, channels, counted, per_axis, ranks, show, spatial
from archspec.ops.window import SIDES, Pixels, before_and_after, bordered, explicit


@declared
class ZeroPad(Op):
    """Zeros around the feature map.

    Shapes: (H, W, C) -> (H + top + bottom, W + left + right, C).
    """

    name = "zero_pad"
    keras_layers = ranks("ZeroPadding")
    keeps = ()
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

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        return _one_axis_as_pair(super().from_keras(layer), layer)


@declared
class SamePad(Op):
    """The zeros of `padding: same` as a layer of its own, for a window with `padding: valid` after it.

    An average pooling counts these zeros, unlike those of its own `padding: same` (NASNet in Keras).

    Shapes: (H, W, C) -> (H + top + bottom, W + left + right, C), so that (H + top + bottom - kernel_size) / strides + 1
    = ceil(H / strides).
    """

    name = "same_pad"
    keeps = ()
    examples = (
        ({"kernel_size": 3, "strides": 2}, [(7, 6, 3)]),
        ({"kernel_size": [5, 2], "strides": [1, 2]}, [(9, 7, 3)]),
        ({"kernel_size": 7}, [(None, 8, 3)]),
        ({"kernel_size": 4, "strides": 3}, [(5, 3)]),
    )

    kernel_size: int | tuple[int, ...] = arg(SIZES, "side of the window that follows, pixels")
    strides: int | tuple[int, ...] = arg(SIZES, "step of the window that follows, pixels", 1)

    def sides(self, x: Shape) -> Pixels:
        """Zeros on each side of each spatial axis. Raises OpError for free sizes on which they depend."""
        axes = spatial(x, self.name)
        windows = per_axis(self.kernel_size, len(axes), "kernel_size")
        steps = per_axis(self.strides, len(axes), "strides")
        if any(n is None and s > 1 for n, s in zip(axes, steps, strict=True)):
            raise OpError(f"`{self.name}` with `strides` above 1 needs known sizes, and its input is {show(x)}")
        return tuple(before_and_after(n, k, s, 1, "same") for n, k, s in zip(axes, windows, steps, strict=True))

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        sides = self.sides(x)
        return (*(None if n is None else n + sum(side) for n, side in zip(x, sides, strict=False)), x[-1])

    def view(self, *inputs: Shape) -> View:
        return tuple(Window(before=before) for before, _ in self.sides(inputs[0]))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: bordered(keras, "ZeroPadding", self.sides(tuple(x.shape)[1:]), name)(x)


@declared
class Crop(Op):
    """Remove rows and columns at the borders of the feature map.

    Shapes: (H, W, C) -> (H - top - bottom, W - left - right, C).
    """

    name = "crop"
    keras_layers = ranks("Cropping")
    keeps = ()
    examples = (
        ({"cropping": 1}, [(5, 4, 3)]),
        ({"cropping": [1, 0]}, [(5, None, 3)]),
        ({"cropping": [[0, 1], [2, 0]]}, [(5, 4, 3)]),
        ({"cropping": [[3, 0]]}, [(5, 3)]),
        ({"cropping": [[1, 0], [0, 2], [1, 1]]}, [(5, 4, 7, 3)]),
    )

    cropping: Any = arg(SIDES, "rows and columns removed on each side, pixels")

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

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        return _one_axis_as_pair(super().from_keras(layer), layer)


def _one_axis_as_pair(given: Mapping[str, Any] | None, layer: Any) -> Mapping[str, Any] | None:
    """((1, 2),) for (1, 2) of a 1-D layer, where Keras has the two sides and the others a pair for each axis."""
    if given is None or not type(layer).__name__.endswith("1D"):
        return given
    return {name: (sides,) if isinstance(sides, tuple) else sides for name, sides in given.items()}


@declared
class PadChannels(Op):
    """Append channels of zeros: the shortcut without parameters (He et al. 2016, option A).

    Shapes: (H, W, C) -> (H, W, channels).
    """

    name = "pad_channels"
    keeps = ()
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
