"""Pooling into a given number of bins, whatever the size of the feature map: adaptive_avgpool, spatial_pyramid_pool."""

from __future__ import annotations

from typing import Any, ClassVar

from archspec.declare import POSITIVE, SIZES, Schema, arg, declared
from archspec.ops.base import EVERYTHING, Dim, Layer, Op, Shape, View, channels, per_axis, spatial

BINS: Schema = {"type": "array", "items": POSITIVE, "minItems": 1}


class Binned(Op):
    """What the poolings into bins share. Bin i of n covers floor(i H / n) up to, not including, ceil((i + 1) H / n)."""

    function: ClassVar[str]
    """What becomes of a bin: a reduction of `keras.ops`."""
    outside: ClassVar[float]
    """What a value outside a bin counts as."""

    def view(self, *inputs: Shape) -> View:
        return EVERYTHING

    def binned(self, keras: Any, x: Any, bins: tuple[int, ...]) -> Any:
        """The tensor `x` (batch, H, W, C) pooled into (batch, *bins, C)."""
        for axis, count in enumerate(bins, start=1):
            x = keras.ops.concatenate(self.along(keras, x, axis, count), axis=axis)
        return x

    def along(self, keras: Any, x: Any, axis: int, count: int) -> list[Any]:
        """The bins along one axis, each of size 1 there."""
        ops, size = keras.ops, x.shape[axis]
        reduce = getattr(ops, self.function)
        if size is not None:
            ranges = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
            before = (slice(None),) * axis
            return [reduce(x[(*before, slice(*each))], axis=axis, keepdims=True) for each in ranges]
        # the size is known when the model runs: positions along the axis say which bin they are in
        column = x[tuple(slice(None) if i in (0, axis) else slice(0, 1) for i in range(len(x.shape)))]
        position = ops.cumsum(ops.ones_like(column, dtype="int32"), axis=axis) - 1
        free = ops.max(position, axis=axis, keepdims=True) + 1
        parts = []
        for i in range(count):
            start, stop = i * free // count, -(-(i + 1) * free // count)
            inside = ops.logical_and(position >= start, position < stop)
            part = reduce(ops.where(inside, x, self.outside), axis=axis, keepdims=True)
            if self.function == "mean":
                part = part * ops.cast(free, x.dtype) / ops.cast(stop - start, x.dtype)
            parts.append(part)
        return parts


@declared
class AdaptiveAvgPool(Binned):
    """Mean over each of `output_size` bins, which share the feature map as evenly as they can.

    Shapes: (H, W, C) -> (output_size, output_size, C). As PyTorch's AdaptiveAvgPool; bins may overlap by a pixel.
    """

    name = "adaptive_avgpool"
    keeps = ()
    function = "mean"
    outside = 0.0
    examples = (
        ({"output_size": 4}, [(14, 9, 3)]),
        ({"output_size": [2, 3]}, [(None, 5, 3)]),
        ({"output_size": 4}, [(3, 2)]),
    )

    output_size: int | tuple[int, ...] = arg(SIZES, "bins along each axis; [height, width] for two")

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return (*per_axis(self.output_size, len(spatial(x, self.name)), "output_size"), x[-1])

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            bins = per_axis(self.output_size, len(x.shape) - 2, "output_size")
            return keras.layers.Identity(name=name)(self.binned(keras, x, bins))

        return call


@declared
class SpatialPyramidPool(Binned):
    """Maximum over the bins of several grids, as one vector: dense layers behind it take images of any size.

    Shapes: (H, W, C) -> (sum of the squares of bins times C,); the grids in the order of `bins`, each row by row.
    He et al. 2014, section 2.2; where it divides, a bin is the paper's window of ceil(H / n) and stride floor(H / n).
    """

    name = "spatial_pyramid_pool"
    keeps = ("inputs", "output")
    function = "max"
    outside = float("-inf")
    examples = (
        ({"bins": [6, 3, 2, 1]}, [(13, 10, 3)]),
        ({"bins": [4, 1]}, [(None, 7, 3)]),
        ({"bins": [2, 1]}, [(None, None, 2)]),
        ({"bins": [3]}, [(8, 2)]),
    )

    bins: tuple[int, ...] = arg(BINS, "bins along each axis, one number for each grid of the pyramid")

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        rank = len(spatial(x, self.name))
        size: Dim = sum(count**rank for count in self.bins) * channels(x, self.name)
        return (size,)

    def build(self, keras: Any, name: str) -> Layer:
        def call(x: Any) -> Any:
            rank = len(x.shape) - 2
            levels = [self.binned(keras, x, (count,) * rank) for count in self.bins]
            vectors = [
                keras.ops.reshape(level, (-1, count**rank * x.shape[-1]))
                for level, count in zip(levels, self.bins, strict=True)
            ]
            return keras.layers.Identity(name=name)(keras.ops.concatenate(vectors, axis=-1))

        return call
