"""Pooling into a fixed number of bins for feature maps of any size: adaptive_avgpool, spatial_pyramid_pool."""

from __future__ import annotations

from typing import Any, ClassVar

from archspec.declare import POSITIVE, SIZES, Schema, arg, declared
from archspec.ops.base import EVERYTHING, Dim, Layer, Op, Shape, View, channels, per_axis, spatial

BINS: Schema = {"type": "array", "items": POSITIVE, "minItems": 1}


class Binned(Op):
    """Base of the poolings into bins. Bin i of n covers rows floor(i H / n) to ceil((i + 1) H / n) - 1."""

    function: ClassVar[str]
    """The reduction of `keras.ops` that is applied to each bin."""
    outside: ClassVar[float]
    """The value that replaces those outside a bin."""

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
        # the size is known only when the model runs: select the bin by the position along the axis
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
    """Mean over `output_size` bins along each axis, as even as possible (`AdaptiveAvgPool` of PyTorch).

    Shapes: (H, W, C) -> (output_size, output_size, C). Neighbouring bins may overlap by a pixel.
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
    """Maximum over the bins of several grids, concatenated: dense layers after it accept images of any size.

    Shapes: (H, W, C) -> (C sum(bins^2),); the grids in the order of `bins`, each row by row.
    He et al. 2014, section 2.2. Where n divides H, the bins are the windows of the paper.
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
