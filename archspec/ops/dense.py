"""The fully connected layer."""

from __future__ import annotations

from archspec.declare import BOOLEAN, POSITIVE, arg, declared
from archspec.ops.base import EVERYTHING, POINTWISE, Op, Shape, View, Weight, channels, product


@declared
class Dense(Op):
    """Fully connected layer over the last axis; applied at every position of a feature map, like a 1x1 convolution.

    Shapes: (C,) -> (units,); (H, W, C) -> (H, W, units).
    Weights: kernel (C, units), bias (units,).
    MACs: C units at each position; the addition of the bias is not counted.
    """

    name = "dense"
    kind = "dense"
    keras_layers = ("Dense",)
    examples = (
        ({"units": 5}, [(7,)]),
        ({"units": 5, "use_bias": False}, [(7,)]),
        ({"units": 5}, [(None, 4, 3)]),
    )

    units: int = arg(POSITIVE, "output channels")
    use_bias: bool = arg(BOOLEAN, "add a bias to each unit", True)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        channels(x, self.name)
        return (*x[:-1], self.units)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (channels(x, self.name), self.units))
        return (kernel, Weight("bias", (self.units,))) if self.use_bias else (kernel,)

    def macs(self, x: Shape, *others: Shape) -> int | None:
        return product((*x, self.units))

    def view(self, x: Shape, *others: Shape) -> View:
        return EVERYTHING if len(x) == 1 else POINTWISE
