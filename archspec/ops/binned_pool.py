"""Pooling into a fixed number of bins: adaptive_avgpool, adaptive_maxpool, spatial_pyramid_pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from archspec.declare import POSITIVE, SIZES, Schema, arg, declared
from archspec.ops.base import EVERYTHING, Functional, Shape, channels, of_class, per_axis, spatial

BINS: Schema = {"type": "array", "items": POSITIVE, "minItems": 1}


class Binned(Functional):
    """Base of the poolings into bins. Bin i of n covers rows floor(i H / n) to ceil((i + 1) H / n) - 1."""

    reads = EVERYTHING
    last_layers = ("Identity",)
    function: ClassVar[str]
    """The reduction of `keras.ops` that is applied to each bin."""
    outside: ClassVar[float]
    """The value that replaces those outside a bin."""

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
    keeps: ClassVar[tuple[str, ...]] = ()
    function = "mean"
    outside = 0.0
    examples = (
        ({"output_size": 4}, [(14, 9, 3)]),
        ({"output_size": [2, 3]}, [(None, 5, 3)]),
        ({"output_size": 4}, [(3, 2)]),
    )

    output_size: int | tuple[int, ...] = arg(SIZES, "bins along each axis; [height, width] for two")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        return (*per_axis(self.output_size, len(spatial(x, self.name)), "output_size"), x[-1])

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        bins = per_axis(self.output_size, len(x.shape) - 2, "output_size")
        return keras.layers.Identity(name=name)(self.binned(keras, x, bins))

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        joins = sorted(of_class(layers, "Concatenate"), key=lambda join: join.axis)
        return {"output_size": tuple(len(tensors_into(join)) for join in joins)} if len(joins) == len(x) - 1 else None


@declared
class AdaptiveMaxPool(AdaptiveAvgPool):
    """Maximum over a fixed number of bins, for images of any size, as `torch.nn.AdaptiveMaxPool2d`.

    Shapes: (H, W, C) -> (output_size, output_size, C); the bins are those of `adaptive_avgpool`.
    """

    name = "adaptive_maxpool"
    keeps = ("inputs", "output")
    function = "max"
    outside = float("-inf")


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

    def shape(self, x: Shape, *others: Shape) -> Shape:
        rank = len(spatial(x, self.name))
        return (sum(count**rank for count in self.bins) * channels(x, self.name),)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        rank = len(x.shape) - 2
        levels = [self.binned(keras, x, (count,) * rank) for count in self.bins]
        vectors = [
            keras.ops.reshape(level, (-1, count**rank * x.shape[-1]))
            for level, count in zip(levels, self.bins, strict=True)
        ]
        return keras.layers.Identity(name=name)(keras.ops.concatenate(vectors, axis=-1))

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        joins, rank = of_class(layers, "Concatenate"), len(x) - 1
        if len(joins) < 2 or rank < 1 or (len(joins) - 1) % rank:
            return None
        levels = [tensor._keras_history.operation.input for tensor in tensors_into(joins[-1])]  # what became a vector
        return {"bins": tuple(len(tensors_into(level._keras_history.operation)) for level in levels)}


def tensors_into(function: Any) -> list[Any]:
    """The tensors that a function of `keras.ops` reads in its first call."""
    return list(function._inbound_nodes[0].input_tensors)
