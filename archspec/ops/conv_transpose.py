"""The transposed convolution, conv_transpose."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from archspec.declare import BOOLEAN, NATURAL, POSITIVE, SIZES, Schema, arg, choice, declared, one_or_each
from archspec.ops.base import (
    Dim,
    Functional,
    OpError,
    Shape,
    View,
    Weight,
    Window,
    channels,
    per_axis,
    product,
    spatial,
)
from archspec.ops.window import Sizes

_PIXELS = one_or_each(NATURAL)
OUTPUT_PADDING: Schema = {**_PIXELS, "type": [*_PIXELS["type"], "null"]}


@declared
class ConvTranspose(Functional):
    """Transposed convolution, the gradient of `conv` with respect to its input; 1-D, 2-D or 3-D like its input.

    Shapes: (H, W, C) -> (H', W', filters), H' = H strides + max(kernel_size - strides, 0) for `padding: valid`,
    H strides for `same`. With `output_padding`: (H - 1) strides + kernel_size + output_padding, less
    2 floor(kernel_size / 2) for `same`.
    Weights: kernel (kernel_size, kernel_size, filters, C), bias (filters,).
    MACs: H W filters kernel_size^2 C; the addition of the bias is not counted.
    Long et al. 2015, section 3.3; Dumoulin & Visin 2016, chapter 4.
    """

    name = "conv_transpose"
    kind = "conv"  # of the convolution whose gradient it is: from `filters` to C channels
    keras_layers = tuple(f"Conv{rank}DTranspose" for rank in (1, 2, 3))
    examples = (
        ({"filters": 5, "kernel_size": 2, "strides": 2}, [(5, 4, 3)]),
        ({"filters": 5}, [(5, 4, 3)]),
        ({"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}, [(5, 4, 3)]),
        ({"filters": 3, "kernel_size": [4, 2], "strides": [2, 1]}, [(None, 4, 2)]),
        ({"filters": 2, "kernel_size": 3, "dilation_rate": 2}, [(6, 5, 2)]),
        ({"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "output_padding": 1}, [(5, 4, 3)]),
        ({"filters": 3, "kernel_size": 4, "strides": 2}, [(6, 3)]),
        ({"filters": 3, "kernel_size": 2, "strides": 2}, [(3, 2, 4, 5)]),
    )

    filters: int = arg(POSITIVE, "output channels")
    kernel_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: Sizes = arg(SIZES, "factor by which the feature map grows", 1)
    padding: str = arg(
        choice("valid", "same"), "`valid` keeps all outputs; `same` crops them to strides x the input", "valid"
    )
    output_padding: Sizes | None = arg(
        OUTPUT_PADDING, "outputs after the last one that the smallest size has, pixels; below `strides`", None
    )
    dilation_rate: Sizes = arg(SIZES, "distance between the window's samples, pixels", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)

    def axes(self, x: Shape) -> list[tuple[Dim, Window]]:
        """The output size and the Window of each spatial axis."""
        rank = len(spatial(x, self.name))
        words = ("kernel_size", "strides", "dilation_rate", "output_padding")
        values = (per_axis(getattr(self, word), rank, word) for word in words)
        return [self.axis(*each) for each in zip(x, *values, strict=False)]

    def axis(self, size: Dim, kernel: int, stride: int, dilation: int, extra: int | None) -> tuple[Dim, Window]:
        """`before` outputs are cropped, so output i reads the inputs j with i + before = j stride + tap dilation."""
        if dilation > 1 and stride > 1:
            raise OpError("`strides` and `dilation_rate` cannot both be greater than 1", "dilation_rate")
        if extra is not None and extra >= stride:
            raise OpError(
                f"`output_padding` must be smaller than `strides`: {extra} and {stride}",
                "output_padding",
                "leave it out, or use larger `strides`",
            )
        extent, same = (kernel - 1) * dilation + 1, self.padding == "same"
        if extra is None:
            beyond = 0 if same else max(extent - stride, 0)  # outputs besides `stride` for each input
        else:
            beyond = extent - stride + extra - (2 * (extent // 2) if same else 0)
        before = max(extent - stride - beyond, 0) // 2 if same else 0
        taps = kernel if stride == 1 else -(-kernel // stride)
        first = (taps - 1) * dilation - Fraction(before, stride)
        window = Window(taps, stride if stride == 1 else Fraction(1, stride), first, dilation)
        out = None if size is None else size * stride + beyond
        if out is not None and out < 1:
            raise OpError(f"nothing is left of {size} inputs", "padding", "use a larger input or `padding: valid`")
        return out, window

    def reads_outside(self, x: Shape) -> bool:
        """Whether outputs at the border lack inputs: in a larger map, the positions outside `x` would add to them."""
        rank = len(x) - 1
        each = (per_axis(getattr(self, word), rank, word) for word in ("kernel_size", "strides", "dilation_rate"))
        for size, (out, window), kernel, stride, dilation in zip(x, self.axes(x), *each, strict=False):
            last = (kernel - 1) * dilation  # input j adds to the outputs j stride - before ... + last
            before = ((window.size - 1) * dilation - window.before) * stride
            if last - stride >= before or (size is not None and out is not None and out + before > size * stride):
                return True
        return False

    def shape(self, x: Shape, *others: Shape) -> Shape:
        channels(x, self.name)
        return (*(size for size, _ in self.axes(x)), self.filters)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        kernel = per_axis(self.kernel_size, len(x) - 1, "kernel_size")
        bias = (Weight("bias", (self.filters,)),) if self.use_bias else ()
        return (Weight("kernel", (*kernel, self.filters, channels(x, self.name))), *bias)

    def macs(self, x: Shape, *others: Shape) -> int | None:
        return product((*x[:-1], self.weights(x)[0].size))

    def view(self, x: Shape, *others: Shape) -> View:
        return tuple(window for _, window in self.axes(x))

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        rank = len(x.shape) - 2
        words = ("kernel_size", "strides", "dilation_rate", "output_padding")
        each = {word: per_axis(getattr(self, word), rank, word) for word in words}
        if self.output_padding is None:
            del each["output_padding"]
        elif rank == 1:
            each["output_padding"] = each["output_padding"][0]
        layer = getattr(keras.layers, self.keras_layers[rank - 1])
        return layer(**{**vars(self), **each}, name=name)(x)
