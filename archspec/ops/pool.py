"""Pooling over a window, and over the whole feature map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from archspec.declare import BOOLEAN, SIZES, Schema, arg, declared
from archspec.ops.base import (
    EVERYTHING,
    Dim,
    Functional,
    Layer,
    Op,
    OpError,
    Shape,
    View,
    Window,
    input_shape,
    of_class,
    per_axis,
    ranks,
    spatial,
)
from archspec.ops.window import PADDING, Pixels, Sizes, bordered, explicit, is_same, rounding_up, slide

STRIDES: Schema = {**SIZES, "type": ["integer", "array", "null"]}


@declared
class Pool(Functional):
    """Base of the poolings over a window. Padding in pixels must be smaller than the window."""

    as_same: ClassVar[bool] = False
    """Whether `same` in Keras fills the padding with the same values as `padded`."""

    pool_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 2)
    strides: Sizes | None = arg(STRIDES, "step of the window, pixels; by default `pool_size`", None)
    padding: Any = arg(PADDING, "`valid`, `same`, or pixels", "valid")
    ceil_mode: bool = arg(BOOLEAN, "round sizes up: the last window may reach past the end (Caffe, PyTorch)", False)

    def slide(self, x: Shape) -> tuple[tuple[Dim, ...], tuple[Window, ...]]:
        strides = self.pool_size if self.strides is None else self.strides
        return slide(x, self.pool_size, strides, self.padding, 1, "pool_size", self.ceil_mode)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        rank = len(spatial(x, self.name))
        if self.ceil_mode and self.padding == "same":
            raise OpError("`ceil_mode` has no effect with `padding: same`", "ceil_mode", "remove one of them")
        sizes = self.slide(x)[0]
        if not isinstance(self.padding, str):
            windows = per_axis(self.pool_size, rank, "pool_size")
            for window, sides in zip(windows, explicit(self.padding, rank), strict=True):
                if max(sides) >= window:
                    raise OpError(
                        f"a window of {window} would cover only padding, which is {max(sides)} wide",
                        "padding",
                        f"pad by at most {window - 1}",
                    )
        return (*sizes, x[-1])

    def view(self, x: Shape, *others: Shape) -> View:
        return self.slide(x)[1]

    def padded(self, keras: Any, x: Any, pixels: Pixels, name: str) -> Any:
        """The tensor `x` with a border of `pixels`, filled with the value that this pooling assumes outside."""
        raise NotImplementedError

    def hanging_over(self, keras: Any, x: Any, more: Pixels, pool: Layer, name: str) -> Any:
        """`pool`, which makes the layer from a name, applied to `x` with `more` pixels, which `ceil_mode` adds."""
        return pool(name=name)(self.padded(keras, x, more, name))

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        rank = len(x.shape) - 2
        window = per_axis(self.pool_size, rank, "pool_size")
        strides = window if self.strides is None else per_axis(self.strides, rank, "strides")
        layer = partial(getattr(keras.layers, self.keras_layers[rank - 1]), window, strides=strides)
        pixels = explicit(0 if isinstance(self.padding, str) else self.padding, rank)
        padded = any(map(any, pixels))
        if self.padding == "same" or (padded and self.as_same and is_same(window, strides, pixels, (1,) * rank)):
            return layer(padding="same", name=name)(x)
        more: Pixels = ()
        if self.ceil_mode:
            sizes = zip(x.shape[1:-1], window, strides, pixels, strict=True)
            more = tuple((0, rounding_up(size, w, s, *sides)) for size, w, s, sides in sizes)
        if padded:
            x = self.padded(keras, x, pixels, f"{name}.pad")
        return self.hanging_over(keras, x, more, layer, name) if any(map(any, more)) else layer(name=name)(x)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        given = super().from_keras(layer)
        return {**given, "strides": None} if given and given["strides"] == given["pool_size"] else given


@declared
class MaxPool(Pool):
    """Maximum over a window. Windows overlap if `strides` is smaller than `pool_size`.

    Shapes: (H, W, C) -> (H', W', C), H' = floor((H + 2p - pool_size) / strides) + 1, or ceil(H / strides) for
    `padding: same`; `ceil_mode` rounds up, as in Caffe. The padding is never the maximum.
    Overlapping: Krizhevsky et al. 2012, section 3.4.
    """

    name = "maxpool"
    keeps = ("inputs", "output")
    keras_layers = ranks("MaxPooling")
    last_layers = keras_layers
    as_same = True
    examples = (
        ({}, [(9, 7, 3)]),
        ({"pool_size": 3, "strides": 2}, [(9, 7, 3)]),
        ({"pool_size": 3, "strides": 2, "padding": 1}, [(11, 8, 3)]),
        ({"pool_size": 3, "strides": 1, "padding": 1}, [(6, 5, 3)]),
        ({"pool_size": [1, 3], "strides": [1, 2], "padding": "same"}, [(9, 7, 3)]),
        ({"pool_size": 2, "padding": [[1, 0]]}, [(9, 4)]),
        ({"pool_size": 2, "strides": [1, 2, 2]}, [(4, 6, 9, 2)]),
        ({"pool_size": 1, "strides": 2}, [(None, 7, 3)]),
        ({"pool_size": 3, "strides": 2, "ceil_mode": True}, [(8, 7, 3)]),
        ({"pool_size": 3, "strides": 2, "ceil_mode": True}, [(None, 8, 3)]),
        ({"pool_size": [2, 3], "strides": [2, 3], "padding": 1, "ceil_mode": True}, [(9, 6, 3)]),
    )

    def padded(self, keras: Any, x: Any, pixels: Pixels, name: str) -> Any:
        # zeros would win over negative inputs
        return keras.ops.pad(x, ((0, 0), *pixels, (0, 0)), constant_values=float("-inf"))

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        pads, given = of_class(layers, "Pad"), cls.from_keras(layers[-1])
        if not given or not pads:
            return None
        return {**given, "padding": tuple(map(tuple, pads[0].pad_width[1:-1])), "ceil_mode": len(pads) > 1}


@declared
class AvgPool(Pool):
    """Mean over a window.

    Shapes: (H, W, C) -> (H', W', C), H' as for `maxpool`. The mean counts padding in pixels as zeros, as in Caffe and
    PyTorch. It leaves out the padding of `same`, as in Keras, and the pixels past the end in `ceil_mode`.
    """

    name = "avgpool"
    keeps = ()
    keras_layers = ranks("AveragePooling")
    last_layers = ("Identity",)
    examples = (
        ({}, [(9, 7, 3)]),
        ({"pool_size": 3, "strides": 1, "padding": 1}, [(9, 7, 3)]),
        ({"pool_size": 3, "strides": 2, "padding": "same"}, [(9, 6, 3)]),
        ({"pool_size": 2, "strides": 1}, [(None, 4)]),
        ({"pool_size": [2, 3, 1], "strides": 1}, [(4, 6, 5, 2)]),
        ({"pool_size": 3, "strides": 2, "padding": 1, "ceil_mode": True}, [(8, 7, 3)]),
        ({"pool_size": 2, "ceil_mode": True}, [(None, 7, 3)]),
    )

    padding: Any = arg(PADDING, "`valid`, `same`, or pixels, which count as zeros", "valid")

    def padded(self, keras: Any, x: Any, pixels: Pixels, name: str) -> Any:
        return bordered(keras, "ZeroPadding", pixels, name)(x)

    def hanging_over(self, keras: Any, x: Any, more: Pixels, pool: Layer, name: str) -> Any:
        # the mean over the pixels inside is the mean with zeros outside, divided by the fraction inside
        inside = keras.ops.ones_like(x[..., :1])
        mean, share = (
            pool(name=f"{name}.{part}")(keras.ops.pad(each, ((0, 0), *more, (0, 0))))
            for part, each in (("mean", x), ("share", inside))
        )
        return keras.layers.Identity(name=name)(mean / share)

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        pools = of_class(layers, *cls.keras_layers)
        given = cls.from_keras(pools[0]) if len(pools) == 2 else None
        return given and {**given, "ceil_mode": True}


@declared
class GlobalPool(Op):
    """Base of the poolings over the whole feature map."""

    reads = EVERYTHING
    examples = (
        ({}, [(9, 7, 3)]),
        ({"keepdims": True}, [(9, 7, 3)]),
        ({}, [(9, 3)]),
        ({"keepdims": True}, [(None, None, 4, 3)]),
    )

    keepdims: bool = arg(BOOLEAN, "keep the spatial axes, with size 1", False)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        rank = len(spatial(x, self.name))
        return (*(1,) * rank, x[-1]) if self.keepdims else (x[-1],)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        if type(layer).__name__ == cls.keras_layers[-1]:  # a reduction of `keras.ops`
            rank = len(input_shape(layer))
            axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
            if sorted(axis % (rank + 1) if isinstance(axis, int) else -1 for axis in axes) != list(range(1, rank)):
                return None  # read as `reduce_mean` or `reduce_max`
        return super().from_keras(layer)


@declared
class GlobalAvgPool(GlobalPool):
    """Mean of each channel over the whole feature map, of any size (Lin et al. 2013, section 3.2).

    Shapes: (H, W, C) -> (C,), or (1, 1, C) with `keepdims`.
    """

    name = "global_avgpool"
    keeps = ()
    keras_layers = (*ranks("GlobalAveragePooling"), "Mean")


@declared
class GlobalMaxPool(GlobalPool):
    """Maximum of each channel over the whole feature map, of any size.

    Shapes: (H, W, C) -> (C,), or (1, 1, C) with `keepdims`.
    """

    name = "global_maxpool"
    keeps = ("inputs", "output")
    keras_layers = (*ranks("GlobalMaxPooling"), "Max")
