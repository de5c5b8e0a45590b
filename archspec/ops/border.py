"""Padding and cropping of feature maps: zero_pad, same_pad, crop, pad_channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from archspec.declare import POSITIVE, SIZES, arg, declared
from archspec.ops.base import Layer, Op, OpError, Shape, View, Window, channels, counted, per_axis, ranks, show, spatial
from archspec.ops.window import SIDES, Pixels, before_and_after, bordered, explicit


class Border(Op):
    """Base of the operators that add pixels at the borders, or remove them."""

    layer: ClassVar[str] = "ZeroPadding"
    """The Keras layer without its rank."""
    sign: ClassVar[int] = 1
    """1 to add pixels, -1 to remove them."""

    def sides(self, x: Shape) -> Pixels:
        """Pixels on each side of each spatial axis. Raises OpError when they do not fit the input."""
        raise NotImplementedError

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        sides = self.sides(x)
        sizes = (None if n is None else n + self.sign * sum(side) for n, side in zip(x, sides, strict=False))
        return (*sizes, x[-1])

    def view(self, *inputs: Shape) -> View:
        return tuple(Window(before=self.sign * before) for before, _ in self.sides(inputs[0]))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: bordered(keras, self.layer, self.sides(tuple(x.shape)[1:]), name)(x)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        if given is None or not type(layer).__name__.endswith("1D"):
            return given
        # a 1-D layer of Keras has the two sides, the others a pair for each axis
        return {name: (sides,) if isinstance(sides, tuple) else sides for name, sides in given.items()}


@declared
class ZeroPad(Border):
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

    def sides(self, x: Shape) -> Pixels:
        return explicit(self.padding, len(spatial(x, self.name)))


@declared
class SamePad(Border):
    """The zero padding of `padding: same` as a separate layer, before a window with `padding: valid`.

    Average pooling counts these zeros, but not those of its own `padding: same` (NASNet in Keras).

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
        axes = spatial(x, self.name)
        windows = per_axis(self.kernel_size, len(axes), "kernel_size")
        steps = per_axis(self.strides, len(axes), "strides")
        if any(n is None and s > 1 for n, s in zip(axes, steps, strict=True)):
            raise OpError(f"`{self.name}` with `strides` above 1 needs known sizes, but its input is {show(x)}")
        return tuple(before_and_after(n, k, s, 1, "same") for n, k, s in zip(axes, windows, steps, strict=True))


@declared
class Crop(Border):
    """Remove rows and columns at the borders of the feature map.

    Shapes: (H, W, C) -> (H - top - bottom, W - left - right, C).
    """

    name = "crop"
    layer = "Cropping"
    sign = -1
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

    def sides(self, x: Shape) -> Pixels:
        axes = spatial(x, self.name)
        sides = explicit(self.cropping, len(axes), "cropping")
        for n, side in zip(axes, sides, strict=True):
            if n is not None and n <= sum(side):
                raise OpError(f"cannot crop {counted(sum(side), 'pixel')} from {n}: the input is {show(x)}", "cropping")
        return sides


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
