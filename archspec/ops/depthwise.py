"""Convolutions of each channel separately: depthwise_conv, separable_conv."""

from __future__ import annotations

from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, SIZES, arg, declared
from archspec.ops.base import Dim, Layer, OpError, Shape, Weight, channels, counted, per_axis, ranks, show, spatial
from archspec.ops.conv import Convolution, Sizes
from archspec.ops.window import PADDING


class Depthwise(Convolution):
    """Base of the convolutions by channel: 1-D or 2-D, with equal strides along both axes."""

    depth_multiplier: int

    def positions(self, x: Shape) -> tuple[Dim, ...]:
        """Output sizes along the spatial axes. Raises OpError for convolutions that Keras cannot do on every device."""
        rank = len(spatial(x, self.name))
        if rank > 2:
            raise OpError(
                f"`{self.name}` is 1-D or 2-D, but its input {show(x)} has {counted(rank, 'spatial axis')}",
                help="use `conv` with as many `groups` as input channels",
            )
        if len(set(per_axis(self.strides, rank, "strides"))) > 1:
            raise OpError(
                f"`{self.name}` needs equal `strides` along both axes: {list(per_axis(self.strides, rank, ''))}",
                "strides",
                "use `conv` with as many `groups` as input channels",
            )
        self.check_steps(rank)
        return self.slide(x)[0]


@declared
class DepthwiseConv(Depthwise):
    """Convolution of each channel separately; 1-D or 2-D like its input.

    Shapes: (H, W, C) -> (H', W', C depth_multiplier), H' as for `conv`.
    Weights: kernel (kernel_size, kernel_size, C, depth_multiplier), bias (C depth_multiplier,).
    MACs: H' W' C depth_multiplier kernel_size^2.
    Howard et al. 2017, section 3.1.
    """

    name = "depthwise_conv"
    kind = "depthwise"
    keras_layers = ranks("DepthwiseConv", 2)
    examples = (
        ({"kernel_size": 3, "padding": "same"}, [(9, 7, 4)]),
        ({"kernel_size": [3, 2], "depth_multiplier": 2, "use_bias": False}, [(9, 7, 4)]),
        ({"kernel_size": 3, "strides": 2, "padding": [[0, 1], [0, 1]]}, [(10, 8, 3)]),
        ({"kernel_size": 3, "dilation_rate": 2}, [(9, 4)]),
        ({"kernel_size": 5, "strides": 2, "padding": 2}, [(None, None, 3)]),
    )

    kernel_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: Sizes = arg(SIZES, "step of the window, pixels, the same along both axes", 1)
    padding: Any = arg(PADDING, "`valid`, `same`, or pixels", "valid")
    depth_multiplier: int = arg(POSITIVE, "output channels for each input channel", 1)
    dilation_rate: Sizes = arg(SIZES, "distance between the window's samples, pixels", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        return (*self.positions(x), channels(x, self.name) * self.depth_multiplier)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        entering = channels(x, self.name)
        kernel = Weight("kernel", (*self.kernel(x), entering, self.depth_multiplier))
        return (kernel, *self.bias(entering * self.depth_multiplier))

    def build(self, keras: Any, name: str) -> Layer:
        return self.keras_layer(keras, "DepthwiseConv", name, depth_multiplier=self.depth_multiplier)


@declared
class SeparableConv(Depthwise):
    """Depthwise convolution followed by a 1x1 convolution, with one bias; 1-D or 2-D like its input.

    Shapes: (H, W, C) -> (H', W', filters), H' as for `conv`.
    Weights: depthwise_kernel (kernel_size, kernel_size, C, depth_multiplier),
    pointwise_kernel (1, 1, C depth_multiplier, filters), bias (filters,).
    MACs: H' W' C depth_multiplier (kernel_size^2 + filters).
    Chollet 2017, section 1.2; no activation between the two.
    """

    name = "separable_conv"
    kind = "separable"
    keras_layers = ranks("SeparableConv", 2)
    examples = (
        ({"filters": 5, "kernel_size": 3, "padding": "same"}, [(9, 7, 4)]),
        ({"filters": 2, "kernel_size": [3, 2], "depth_multiplier": 3, "use_bias": False}, [(9, 7, 4)]),
        ({"filters": 6, "kernel_size": 3, "strides": 2, "padding": 1}, [(10, 8, 3)]),
        ({"filters": 5, "kernel_size": 3, "dilation_rate": 2}, [(9, 4)]),
    )

    filters: int = arg(POSITIVE, "output channels")
    kernel_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: Sizes = arg(SIZES, "step of the window, pixels, the same along both axes", 1)
    padding: Any = arg(PADDING, "`valid`, `same`, or pixels", "valid")
    dilation_rate: Sizes = arg(SIZES, "distance between the window's samples, pixels", 1)
    depth_multiplier: int = arg(POSITIVE, "channels between the two convolutions for each input channel", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        channels(x, self.name)
        return (*self.positions(x), self.filters)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        entering, kernel = channels(x, self.name), self.kernel(x)
        return (
            Weight("depthwise_kernel", (*kernel, entering, self.depth_multiplier)),
            Weight("pointwise_kernel", (*(1 for _ in kernel), entering * self.depth_multiplier, self.filters)),
            *self.bias(self.filters),
        )

    def build(self, keras: Any, name: str) -> Layer:
        return self.keras_layer(
            keras, "SeparableConv", name, filters=self.filters, depth_multiplier=self.depth_multiplier
        )
