"""Changes of the height and width: zero_pad, same_pad, crop, upsample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from archspec.declare import SIZES, arg, choice, declared
from archspec.diagnostics import counted
from archspec.ops.base import Functional, OpError, Shape, View, Window, per_axis, ranks, show, spatial
from archspec.ops.window import SIDES, Pixels, before_and_after, bordered, explicit


class Border(Functional):
    """Base of the operators that add pixels at the borders, or remove them."""

    layer: ClassVar[str] = "ZeroPadding"
    """The Keras layer without its rank."""
    keeps = ()
    sign: ClassVar[int] = 1
    """1 to add pixels, -1 to remove them."""

    def sides(self, x: Shape) -> Pixels:
        """Pixels on each side of each spatial axis. Raises OpError when they do not fit the input."""
        raise NotImplementedError

    def shape(self, x: Shape, *others: Shape) -> Shape:
        sides = self.sides(x)
        sizes = (None if n is None else n + self.sign * sum(side) for n, side in zip(x, sides, strict=False))
        return (*sizes, x[-1])

    def view(self, x: Shape, *others: Shape) -> View:
        return tuple(Window(before=self.sign * before) for before, _ in self.sides(x))

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        return bordered(keras, self.layer, self.sides(tuple(x.shape)[1:]), name)(x)

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


TAPS = {"nearest": 1, "bilinear": 2, "bicubic": 4, "lanczos3": 6, "lanczos5": 10}
"""Interpolation -> inputs that an output unit reads along each axis."""


@declared
class Upsample(Functional):
    """Upsampling by integer factors, by repetition or interpolation.

    Shapes: (H, W, C) -> (size H, size W, C). Interpolation other than `nearest` needs a 2-D input.
    """

    name = "upsample"
    keras_layers = ranks("UpSampling")
    keeps = ()
    examples = (
        ({}, [(5, 4, 3)]),
        ({"size": [2, 3], "interpolation": "bilinear"}, [(5, 4, 3)]),
        ({"size": 3}, [(None, 3)]),
        ({"size": [1, 2, 3]}, [(2, 5, 4, 3)]),
    )

    size: int | tuple[int, ...] = arg(SIZES, "factor; [height, width] for two", 2)
    interpolation: str = arg(choice(*TAPS), "how values between the inputs are computed", "nearest")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        axes = spatial(x, self.name)
        if self.interpolation != "nearest" and len(axes) != 2:
            raise OpError(
                f"`interpolation: {self.interpolation}` needs a 2-D input, "
                f"but the input has {counted(len(axes), 'spatial axis')}",
                "interpolation",
                "use `interpolation: nearest`",
            )
        factors = per_axis(self.size, len(axes), "size")
        return (*(None if n is None else n * factor for n, factor in zip(axes, factors, strict=True)), x[-1])

    def view(self, x: Shape, *others: Shape) -> View:
        taps = TAPS[self.interpolation]
        return tuple(_window(taps, factor) for factor in per_axis(self.size, len(x) - 1, "size"))

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        rank = len(x.shape) - 2
        size = per_axis(self.size, rank, "size")
        interpolation = {"interpolation": self.interpolation} if rank == 2 else {}
        layer = getattr(keras.layers, self.keras_layers[rank - 1])
        return layer(size[0] if rank == 1 else size, name=name, **interpolation)(x)


def _window(taps: int, factor: int) -> Window:
    """The centre of output i is at (i + 1/2) / factor - 1/2 of the input (`tf.image.resize`)."""
    if factor == 1:
        return Window()
    from fractions import Fraction

    if taps == 1:
        return Window(stride=Fraction(1, factor))
    return Window(taps, Fraction(1, factor), Fraction(factor - 1, 2 * factor) + taps // 2 - 1)
