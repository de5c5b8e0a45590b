"""Convolutions: conv, and those of each channel separately, depthwise_conv and separable_conv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import BOOLEAN, POSITIVE, SIZES, arg, arguments, declared
from archspec.diagnostics import counted
from archspec.ops.base import (
    Dim,
    Functional,
    OpError,
    Shape,
    View,
    Weight,
    Window,
    channels,
    of_class,
    per_axis,
    plain,
    product,
    ranks,
    show,
    spatial,
)
from archspec.ops.weight_standardization import (
    EPSILON,
    SCALED,
    bias_of,
    convolved,
    epsilon_arg,
    standardize_arg,
    standardized_kernel,
    standardized_weights,
)
from archspec.ops.window import PADDING, Sizes, bordered, keras_padding, padding_schema, slide


class Convolution(Functional):
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
        """Raises OpError for strides combined with dilation, which Keras rejects."""
        if self.strides == 1 or self.dilation_rate == 1:
            return
        strided = max(per_axis(self.strides, rank, "strides")) > 1
        if strided and max(per_axis(self.dilation_rate, rank, "dilation_rate")) > 1:
            raise OpError("`strides` and `dilation_rate` cannot both be greater than 1", "dilation_rate")

    def macs(self, x: Shape, *others: Shape) -> int | None:
        positions = self.slide(x)[0]
        kernels = sum([weight.size for weight in self.weights(x) if weight.is_kernel])
        return product((*positions, kernels))

    def view(self, x: Shape, *others: Shape) -> View:
        return self.slide(x)[1]

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        """The Keras layer for the rank of the input, with a layer `name.pad` before it where `padding` needs one."""
        rank, words = len(x.shape) - 2, ("kernel_size", "strides", "dilation_rate")
        kernel, strides, dilation = (per_axis(getattr(self, word), rank, word) for word in words)
        padding, pad = keras_padding(keras, self.padding, kernel, strides, dilation, f"{name}.pad")
        windows = dict(zip(words, (kernel, strides, dilation), strict=True))
        layer = getattr(keras.layers, self.keras_layers[rank - 1])
        given = {word: value for word, value in vars(self).items() if word not in ("standardize", "epsilon")}
        return layer(**{**given, **windows, "padding": padding}, name=name)(pad(x) if pad else x)


class Standardizable(Convolution):
    """Base of the convolutions whose filters can be standardized."""

    standardize: bool | str
    epsilon: float
    last_layers = ("Identity",)

    def plain_weights(self, x: Shape) -> tuple[Weight, ...]:
        """The weights without `standardize`: the kernel, and a bias."""
        raise NotImplementedError

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        plain_weights = self.plain_weights(x)
        if not self.standardize:
            if self.epsilon != EPSILON:
                raise OpError("`epsilon` has no effect without `standardize`", "epsilon", "add `standardize: true`")
            return plain_weights
        return standardized_weights(plain_weights[0].shape, self.shape(x)[-1] or 0, self.standardize, self.use_bias)

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        """The Keras layer or, with `standardize`, the function of `keras.ops` with the standardized kernel."""
        given = tuple(x.shape)[1:]
        if not self.standardize:
            return super().apply(keras, x, name)
        rank, filters = len(given) - 1, self.shape(given)[-1] or 0
        window, strides, dilation = (
            per_axis(getattr(self, word), rank, word) for word in ("kernel_size", "strides", "dilation_rate")
        )
        kernel = standardized_kernel(
            keras, x, self.plain_weights(given)[0].shape, filters, self.standardize, self.epsilon, name
        )
        bias = bias_of(keras, x, filters, name) if self.use_bias else None
        if self.padding == "causal":
            border = ((window[0] - 1) * dilation[0], 0)
            padding, pad = "valid", bordered(keras, "ZeroPadding", (border,), f"{name}.pad")
        else:
            padding, pad = keras_padding(keras, self.padding, window, strides, dilation, f"{name}.pad")
        x = pad(x) if pad else x
        if x.dtype != kernel.dtype:  # an input of the network in mixed precision
            x = keras.ops.cast(x, kernel.dtype)
        groups = getattr(self, "groups", 1)
        y = convolved(keras, x, kernel, strides, padding, dilation, groups, by_channel=self.kind == "depthwise")
        return keras.layers.Identity(name=name)(y if bias is None else y + bias)

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        filters, normalized = of_class(layers, "EinsumDense"), of_class(layers, "GroupNormalization")
        called = of_class(layers, "Conv" if cls.kind == "conv" else "DepthwiseConv")
        if not len(filters) == len(normalized) == 1 or not called or x[-1] is None:
            return None
        *window, entering, leaving = filters[0].kernel.shape
        pads = of_class(layers, *ranks("ZeroPadding"))
        sides = [pads[0].padding] if pads and isinstance(pads[0].padding[0], int) else pads and pads[0].padding
        given = {
            "kernel_size": tuple(window),
            "strides": called[0].strides,
            "padding": tuple(map(tuple, sides)) if pads else called[0].padding,
            "dilation_rate": called[0].dilation_rate,
            "use_bias": bool(of_class(layers, "Embedding")),
            "standardize": SCALED if normalized[0].scale else True,
            "epsilon": normalized[0].epsilon,
        }
        own = {"filters": leaving, "groups": x[-1] // entering} if cls.kind == "conv" else {"depth_multiplier": leaving}
        schemas = {each.name: each.schema for each in arguments(cls)}
        return {word: plain(value, schemas[word]) for word, value in (given | own).items()}


@declared
class Conv(Standardizable):
    """Convolution, optionally grouped or dilated; 1-D, 2-D or 3-D like its input.

    Shapes: (H, W, C) -> (H', W', filters), H' = floor((H + 2p - d (kernel_size - 1) - 1) / strides) + 1,
    or ceil(H / strides) for `padding: same`.
    Weights: kernel (kernel_size, kernel_size, C / groups, filters), bias (filters,).
    With `standardize`: filters/kernel, bias/embeddings (1, filters), and gain/gamma (filters,) for `scaled`.
    MACs: H' W' filters kernel_size^2 C / groups; the addition of the bias is not counted.
    Groups: Krizhevsky et al. 2012, section 3.2.
    Weight standardization: w' = (w - mean) / sqrt(variance + epsilon) of each filter (Qiao et al. 2019, section 3.1;
    BiT has `epsilon: 1e-10`). `scaled` multiplies it by gain / sqrt(fan-in), fan-in = kernel_size^2 C / groups (Brock
    et al. 2021, arXiv:2101.08692, section 4; NFNet).
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
        ({"filters": 5, "standardize": True, "epsilon": 1e-10, "use_bias": False}, [(9, 7, 3)]),
        (
            {"filters": 6, "kernel_size": 3, "strides": 2, "padding": 1, "groups": 2, "standardize": "scaled"},
            [(None, None, 4)],
        ),
        ({"filters": 4, "padding": "causal", "dilation_rate": 2, "standardize": "scaled"}, [(9, 3)]),
        ({"filters": 3, "kernel_size": 2, "standardize": True}, [(4, 5, 6, 2)]),
    )

    filters: int = arg(POSITIVE, "output channels")
    kernel_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: Sizes = arg(SIZES, "step of the window, pixels", 1)
    padding: Any = arg(padding_schema("valid", "same", "causal"), "`valid`, `same`, `causal` (1-D), or pixels", "valid")
    dilation_rate: Sizes = arg(SIZES, "distance between the window's samples, pixels", 1)
    groups: int = arg(POSITIVE, "independent groups of channels", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)
    standardize: bool | str = standardize_arg()
    epsilon: float = epsilon_arg()

    def shape(self, x: Shape, *others: Shape) -> Shape:
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

    def plain_weights(self, x: Shape) -> tuple[Weight, ...]:
        entering = channels(x, self.name) // self.groups
        return (Weight("kernel", (*self.kernel(x), entering, self.filters)), *self.bias(self.filters))


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
class DepthwiseConv(Depthwise, Standardizable):
    """Convolution of each channel separately; 1-D or 2-D like its input.

    Shapes: (H, W, C) -> (H', W', C depth_multiplier), H' as for `conv`.
    Weights: kernel (kernel_size, kernel_size, C, depth_multiplier), bias (C depth_multiplier,).
    With `standardize`, as for `conv`: filters/kernel, bias/embeddings and gain/gamma. The fan-in is kernel_size^2.
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
        (
            {"kernel_size": 3, "padding": "same", "depth_multiplier": 2, "standardize": "scaled", "epsilon": 1e-5},
            [(9, 7, 4)],
        ),
    )

    kernel_size: Sizes = arg(SIZES, "side of the window, pixels; [height, width] for two", 3)
    strides: Sizes = arg(SIZES, "step of the window, pixels, the same along both axes", 1)
    padding: Any = arg(PADDING, "`valid`, `same`, or pixels", "valid")
    depth_multiplier: int = arg(POSITIVE, "output channels for each input channel", 1)
    dilation_rate: Sizes = arg(SIZES, "distance between the window's samples, pixels", 1)
    use_bias: bool = arg(BOOLEAN, "add a bias to each output channel", True)
    standardize: bool | str = standardize_arg()
    epsilon: float = epsilon_arg()

    def shape(self, x: Shape, *others: Shape) -> Shape:
        return (*self.positions(x), channels(x, self.name) * self.depth_multiplier)

    def plain_weights(self, x: Shape) -> tuple[Weight, ...]:
        entering = channels(x, self.name)
        kernel = Weight("kernel", (*self.kernel(x), entering, self.depth_multiplier))
        return (kernel, *self.bias(entering * self.depth_multiplier))


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

    def shape(self, x: Shape, *others: Shape) -> Shape:
        channels(x, self.name)
        return (*self.positions(x), self.filters)

    def weights(self, x: Shape, *others: Shape) -> tuple[Weight, ...]:
        entering, kernel = channels(x, self.name), self.kernel(x)
        return (
            Weight("depthwise_kernel", (*kernel, entering, self.depth_multiplier)),
            Weight("pointwise_kernel", (*(1 for _ in kernel), entering * self.depth_multiplier, self.filters)),
            *self.bias(self.filters),
        )
