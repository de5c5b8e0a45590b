"""Resizing of feature maps to a given size, by interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from archspec.declare import POSITIVE, arg, choice, declared
from archspec.ops.base import EVERYTHING, Op, OpError, Shape, View, Window, show
from archspec.ops.resize import TAPS


@declared
class Resizing(Op):
    """Resize a map to a height and width, by repetition or interpolation without antialiasing.

    Shapes: (H, W, C) -> (height, width, C). The centre of output i is at (i + 1/2) H / height - 1/2 of the input.
    """

    name = "resizing"
    keras_layers = ("Resizing",)
    keeps = ()
    examples = (
        ({"height": 8, "width": 3}, [(5, 4, 3)]),
        ({"height": 2, "width": 9, "interpolation": "nearest"}, [(5, 4, 3)]),
        ({"height": 6, "width": 4, "interpolation": "bicubic"}, [(None, None, 2)]),
    )

    height: int = arg(POSITIVE, "rows of the output, pixels")
    width: int = arg(POSITIVE, "columns of the output, pixels")
    interpolation: str = arg(choice(*TAPS), "how values between the inputs are computed", "bilinear")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if len(x) != 3:
            raise OpError(f"`{self.name}` needs (height, width, channels), but its input is {show(x)}")
        return self.height, self.width, x[-1]

    def view(self, x: Shape, *others: Shape) -> View:
        if None in x[:2]:
            return EVERYTHING
        taps = TAPS[self.interpolation]
        steps = (Fraction(x[0] or 1, self.height), Fraction(x[1] or 1, self.width))
        # `nearest` reads floor((i + 1/2) step), the others `taps` inputs around the centre of the output
        return tuple(Window(taps, step, Fraction(taps - 1, 2) - step / 2) for step in steps)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        words = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
        found = [word for word in words if given is not None and getattr(layer, word, False)]
        if found:
            raise OpError(f"it has `{found[0]}=True`")
        return given
