"""Upsampling of feature maps."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from archspec.declare import SIZES, arg, choice, declared
from archspec.ops.base import Layer, Op, OpError, Shape, View, Window, counted, per_axis, ranks, spatial
from archspec.ops.window import ranked

TAPS = {"nearest": 1, "bilinear": 2, "bicubic": 4, "lanczos3": 6, "lanczos5": 10}
"""Interpolation -> inputs that an output unit reads along each axis."""


@declared
class Upsample(Op):
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

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        axes = spatial(x, self.name)
        if self.interpolation != "nearest" and len(axes) != 2:
            raise OpError(
                f"`interpolation: {self.interpolation}` needs a 2-D input, "
                f"and the input has {counted(len(axes), 'spatial axis')}",
                "interpolation",
                "use `interpolation: nearest`",
            )
        factors = per_axis(self.size, len(axes), "size")
        return (*(None if n is None else n * factor for n, factor in zip(axes, factors, strict=True)), x[-1])

    def view(self, *inputs: Shape) -> View:
        taps = TAPS[self.interpolation]
        return tuple(_window(taps, factor) for factor in per_axis(self.size, len(inputs[0]) - 1, "size"))

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            rank = len(x.shape) - 2
            size = per_axis(self.size, rank, "size")
            interpolation = {"interpolation": self.interpolation} if rank == 2 else {}
            return ranked(keras, "UpSampling", rank)(size[0] if rank == 1 else size, name=name, **interpolation)(x)

        return call


def _window(taps: int, factor: int) -> Window:
    """The centre of output i is at (i + 1/2) / factor - 1/2 of the input (`tf.image.resize`)."""
    if factor == 1:
        return Window()
    if taps == 1:
        return Window(stride=Fraction(1, factor))
    return Window(taps, Fraction(1, factor), Fraction(factor - 1, 2 * factor) + taps // 2 - 1)
