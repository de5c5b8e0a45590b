"""Convolutions: conv, depthwise_conv, separable_conv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, SIZES, arg
from archspec.ops.base import (
    Layer,
    Op,
    OpError,
    Shape,
    View,
    Weight,
    channels,
    per_axis,
    product,
    spatial,
)
from archspec.ops.window import PADDING, keras_padding, ranked, slide


@dataclass(frozen=True)
class Conv(Op):
    """Convolution, optionally grouped or dilated; 1-D, 2-D or 3-D as its input is.

    Shapes: (H, W, C) -> (H', W', filters), H' = floor((H + 2p - d (kernel_size - 1) - 1) / strides) + 1,
    or ceil(H / strides) for `padding: same`.
    Weights: kernel (kernel_size, kernel_size, C / groups, filters), bias (filters,).
    MACs: H' W' filters kernel_size^2 C / groups; the addition of the bias is not counted.
    Groups: Krizhevsky et al. 2012, section 3.2.
    """

    name = "conv"
    examples = (
        ({"filters": 6, "kernel_size": 5, "strides": 2, "padding": 2, "groups": 2}, [(11, 7, 4)]),
        ({"filters": 5}, [(9, 7, 3)]),
        ({"filters": 5, "kernel_size": [1, 3], "padding": "same", "use_bias": False}, [(9, 7, 3)]),
        ({"filters": 5, "kernel_size": 3, "padding": 1}, [(9, 7, 4)]),
        ({"filters": 5, "kernel_size": 3, "padding": [[0, 1], [2, 1]], "strides": 2}, [(9, 8, 4)]),
        ({"filters": 5, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [(11, 8, 2)]),
        ({"filters": 7, "kernel_size": 3, "padding": "causal"}, [(12, 5)]),
        ({"filters": 3, "kernel_size": 2, "strides": [1, 2, 2]}, [(4, 6, 8, 2)]),
        ({"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}, [(None, None, 3)]),
    )

    filters: int = arg(POSITIVE, "output channels")
    kernel_size: int | tuple[int, ...] = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: int | tuple[int, ...] = arg(SIZES, "step of the window, pixels", 1)
    padding: Any = arg(PADDING, "`valid`, `same`, `causal` (1-D), or pixels", "valid")
    dilation_rate: int | tuple[int, ...] = arg(SIZES, "distance between the window's samples, pixels", 1)
    groups: int = arg(POSITIVE, "independent groups of channels", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)

    def _slide(self, x: Shape) -> Any:
        _check_strides(self.strides, self.dilation_rate, self.padding, len(x) - 1)
        return slide(x, self.kernel_size, self.strides, self.padding, self.dilation_rate)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        spatial(x, self.name)
        entering = channels(x, self.name)
        for number, what in ((entering, "input channels"), (self.filters, "filters")):
            if number % self.groups:
                raise OpError(
                    f"{number} {what} cannot be split into {self.groups} groups",
                    "groups",
                    f"`groups` must divide both {entering} (the input channels) and {self.filters} (the filters)",
                )
        return (*self._slide(x)[0], self.filters)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        kernel = per_axis(self.kernel_size, len(x) - 1, "kernel_size")
        weights = (Weight("kernel", (*kernel, channels(x, self.name) // self.groups, self.filters)),)
        return (*weights, Weight("bias", (self.filters,))) if self.use_bias else weights

    def macs(self, *inputs: Shape) -> int | None:
        return product((*self._slide(inputs[0])[0], self.weights(*inputs)[0].size))

    def view(self, *inputs: Shape) -> View:
        windows: View = self._slide(inputs[0])[1]
        return windows

    def build(self, keras: Any, name: str) -> Layer:
        def layer(x: Any) -> Any:
            rank = len(x.shape) - 2
            kernel = per_axis(self.kernel_size, rank, "kernel_size")
            strides = per_axis(self.strides, rank, "strides")
            dilation = per_axis(self.dilation_rate, rank, "dilation_rate")
            padding, pad = keras_padding(keras, self.padding, kernel, strides, dilation, name)
            conv = ranked(keras, "Conv", rank)(
                self.filters,
                kernel,
                strides=strides,
                dilation_rate=dilation,
                groups=self.groups,
                use_bias=self.use_bias,
                name=name,
                **padding,
            )
            return conv(pad(x) if pad else x)

        return layer


def _check_strides(strides: Any, dilation: Any, padding: Any, rank: int) -> None:
    """Keras refuses strides together with dilation, and `causal` beyond 1-D."""
    if max(per_axis(strides, rank, "strides")) > 1 and max(per_axis(dilation, rank, "dilation_rate")) > 1:
        raise OpError("`strides` and `dilation_rate` cannot both be greater than 1", "dilation_rate")
    if padding == "causal" and rank != 1:
        raise OpError(f"`padding: causal` needs a 1-D input, and this one has {rank} spatial axes", "padding")
