"""Convolution, and the base class of all convolutions."""

from __future__ import annotations

from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, SIZES, arg, declared
from archspec.ops.base import (
    Dim,
    Layer,
    Op,
    OpError,
    Shape,
    View,
    Weight,
    Window,
    channels,
    per_axis,
    product,
    ranks,
    spatial,
)
from archspec.ops.window import keras_padding, padding_schema, ranked, slide

Sizes = int | tuple[int, ...]


class Convolution(Op):
    """Base of the convolutions: the sliding window, and the Keras layer."""

    kernel_size: Sizes
    strides: Sizes
    padding: Any
    dilation_rate: Sizes
    use_bias: bool

    def slide(self, x: Shape) -> tuple[tuple[Dim, ...], tuple[Window, ...]]:
        return slide(x, self.kernel_size, self.strides, self.padding, self.dilation_rate)

    def kernel(self, x: Shape) -> tuple[int, ...]:
        return per_axis(self.kernel_size, len(x) - 1, "kernel_size")

    def bias(self, filters: int) -> tuple[Weight, ...]:
        return (Weight("bias", (filters,)),) if self.use_bias else ()

    def check_steps(self, rank: int) -> None:
        """Raises OpError for strides combined with dilation, which Keras refuses."""
        if self.strides == 1 or self.dilation_rate == 1:
            return
        if (
            max(per_axis(self.strides, rank, "strides")) > 1
            and max(per_axis(self.dilation_rate, rank, "dilation_rate")) > 1
        ):
            raise OpError("`strides` and `dilation_rate` cannot both be greater than 1", "dilation_rate")

    def macs(self, *inputs: Shape) -> int | None:
        positions = self.slide(inputs[0])[0]
        kernels = sum(weight.size for weight in self.weights(*inputs) if weight.name != "bias")
        return product((*positions, kernels))

    def view(self, *inputs: Shape) -> View:
        return self.slide(inputs[0])[1]

    def keras_layer(self, keras: Any, layer: str, name: str, **arguments: Any) -> Layer:
        """The Keras layer for the rank of the input, with a layer `name.pad` before it where `padding` needs one."""

        def call(x: Any) -> Any:
            rank = len(x.shape) - 2
            kernel = per_axis(self.kernel_size, rank, "kernel_size")
            strides = per_axis(self.strides, rank, "strides")
            dilation = per_axis(self.dilation_rate, rank, "dilation_rate")
            padding, pad = keras_padding(keras, self.padding, kernel, strides, dilation, name)
            convolution = ranked(keras, layer, rank)(
                kernel_size=kernel,
                strides=strides,
                dilation_rate=dilation,
                use_bias=self.use_bias,
                name=name,
                **padding,
                **arguments,
            )
            return convolution(pad(x) if pad else x)

        return call


@declared
class Conv(Convolution):
    """Convolution, optionally grouped or dilated; 1-D, 2-D or 3-D like its input.

    Shapes: (H, W, C) -> (H', W', filters), H' = floor((H + 2p - d (kernel_size - 1) - 1) / strides) + 1,
    or ceil(H / strides) for `padding: same`.
    Weights: kernel (kernel_size, kernel_size, C / groups, filters), bias (filters,).
    MACs: H' W' filters kernel_size^2 C / groups; the addition of the bias is not counted.
    Groups: Krizhevsky et al. 2012, section 3.2.
    """

    name = "conv"
    kind = "conv"
    keras_layers = ranks("Conv")
    examples = (
        ({"filters": 6, "kernel_size": 5, "strides": 2, "padding": 2, "groups": 2}, [(11, 7, 4)]),
        ({"filters": 5}, [(9, 7, 3)]),
        ({"filters": 5, "kernel_size": [1, 3], "padding": "same", "use_bias": False}, [(9, 7, 3)]),
        ({"filters": 5, "kernel_size": 3, "padding": 1}, [(9, 7, 4)]),
        ({"filters": 5, "kernel_size": 3, "padding": [[0, 1], [2, 1]], "strides": 2}, [(9, 8, 4)]),
        ({"filters": 5, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, [(11, 8, 2)]),
        ({"filters": 7, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}, [(12, 5)]),
        ({"filters": 3, "kernel_size": 2, "strides": [1, 2, 2]}, [(4, 6, 8, 2)]),
        ({"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}, [(None, None, 3)]),
    )

    filters: int = arg(POSITIVE, "output channels")
    kernel_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: Sizes = arg(SIZES, "step of the window, pixels", 1)
    padding: Any = arg(padding_schema("valid", "same", "causal"), "`valid`, `same`, `causal` (1-D), or pixels", "valid")
    dilation_rate: Sizes = arg(SIZES, "distance between the window's samples, pixels", 1)
    groups: int = arg(POSITIVE, "independent groups of channels", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        rank = len(spatial(x, self.name))
        self.check_steps(rank)
        if self.padding == "causal" and rank != 1:
            raise OpError(f"`padding: causal` needs a 1-D input, but the input has {rank} spatial axes", "padding")
        entering = channels(x, self.name)
        if self.groups > 1:
            for number, what in ((entering, "input channels"), (self.filters, "filters")):
                if number % self.groups:
                    raise OpError(
                        f"{number} {what} cannot be split into {self.groups} groups",
                        "groups",
                        f"`groups` must divide both {entering} (the input channels) and {self.filters} (the filters)",
                    )
        return (*self.slide(x)[0], self.filters)

    def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
        (x,) = inputs
        entering = channels(x, self.name) // self.groups
        return (Weight("kernel", (*self.kernel(x), entering, self.filters)), *self.bias(self.filters))

    def build(self, keras: Any, name: str) -> Layer:
        return self.keras_layer(keras, "Conv", name, filters=self.filters, groups=self.groups)
