"""The operator contract: one class declares an operator's arguments, shapes, weights, cost and Keras layer.

Shapes, weights and costs are arithmetic on integers. An operator never imports keras: `build` receives the module as an
argument and uses only `keras.layers` and `keras.ops`, so that a spec builds on every backend. The JSON Schema, the
reference, the did-you-mean hints and the conformance tests are derived from these classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from archspec.declare import Declared, Schema, arguments
from archspec.diagnostics import counted
from archspec.plugins import Registry

if TYPE_CHECKING:
    from fractions import Fraction

Dim = int | None
"""A size; None for a free one (an input of any height)."""
Shape = tuple[Dim, ...]
"""The shape of one sample, channels last, without the batch axis: (H, W, C)."""
Layer = Callable[..., Any]
"""The result of `build`: a function from Keras tensors, one for each input, to a Keras tensor."""


class OpError(ValueError):
    """The arguments or inputs of an operator do not fit. The compiler adds the place in the spec.

    `message` states the fact, `arg` names the argument to point at, `help` states the remedy.
    """

    def __init__(self, message: str, arg: str | None = None, help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.arg, self.help = message, arg, help


class Weight(NamedTuple):
    """A variable of a layer, under Keras's name, in Keras's layout. Every count of parameters derives from it.

    An operator of several Keras layers names the weights of each after it: `gate/kernel` is the kernel of the layer
    `name.gate`; those of its last layer, called `name`, are plain: `kernel`.
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    scale: bool = False
    """Whether it has one factor for each channel, although Keras calls it a kernel."""

    @property
    def is_kernel(self) -> bool:
        """Whether `init: {conv: he_normal}`, a rule without the name of a weight, sets it."""
        return self.name.endswith("kernel") and not self.scale

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Window(NamedTuple):
    """The inputs that one output unit reads along one axis.

    Output unit i reads inputs floor(i * stride - before) + (0, dilation, 2 * dilation, ..., (size - 1) * dilation).
    Upsampling by k has stride 1 / k and, if it interpolates, a fractional `before`. A crop has a negative `before`.
    """

    size: int = 1
    stride: int | Fraction = 1
    before: int | Fraction = 0
    dilation: int = 1


EVERYTHING = "everything"
"""Receptive field of flatten, dense and global pooling: every output unit reads the whole input."""
POINTWISE = None
"""Receptive field of activations, batch normalization and merges: output unit i reads input unit i."""
View = tuple[Window, ...] | str | None

OPS: Registry[Op] = Registry("archspec.ops")
"""Every operator under its name."""


class Op(Declared):
    """Base of all operators; a subclass is a frozen dataclass with a `name` and a docstring.

    Class attributes:
        name: its name in a spec, as in papers.
        many: True for merges, which take any number of inputs (at least two).
        examples: pairs (arguments, input shapes) for the reference and the conformance tests.
    """

    registry = OPS
    many: ClassVar[bool] = False
    most: ClassVar[int] = 1
    """How many inputs it takes at most, unless it is a merge."""
    keeps: ClassVar[tuple[str, ...]] = ("inputs",)
    """Feature maps that training keeps for the gradient: "inputs", "output", both or none (`archspec plan`)."""
    reads: ClassVar[View] = POINTWISE
    """The receptive field, where it is the same for all arguments and inputs (`view`)."""
    in_place: ClassVar[bool] = False
    """Whether the output shares the memory of the input."""
    examples: ClassVar[Sequence[tuple[Mapping[str, Any], Sequence[Shape]]]] = ()
    keras_layers: ClassVar[tuple[str, ...]] = ()
    """Keras classes that `from_keras` reads: layers such as Conv2D, and the operations of `keras.ops` such as Mean."""
    last_layers: ClassVar[tuple[str, ...]] = ()
    """Keras classes of the last of several layers that `from_keras_layers` reads."""
    kind: ClassVar[str] = "param"
    """How its weights are matched with those of other programs: conv, depthwise, separable, dense, bn, norm, attention,
    or param for other arrays."""

    def shape(self, x: Shape, /, *others: Shape) -> Shape:
        """The output shape of the inputs; by default that of the first. Raises OpError when the inputs do not fit."""
        self.weights(x, *others)  # raises OpError where a size that it needs is free
        return x

    def weights(self, x: Shape, /, *others: Shape) -> tuple[Weight, ...]:
        """The variables in the order of Keras's `layer.weights`; those of several layers, layer by layer."""
        return ()

    def macs(self, x: Shape, /, *others: Shape) -> int | None:
        """Multiply-accumulates for one sample; None when a size is free. FLOPs = 2 x MACs.

        Only convolutions and dense layers count, as in the papers (He et al. 2016, Table 1), and matrix products:
        those of attention, `dot` and `matmul`.
        """
        return 0

    def workspace(self, x: Shape, /, *others: Shape) -> float | None:
        """float32 values that training keeps for the gradient of one sample, besides the feature maps in `keeps`."""
        return 0

    def view(self, x: Shape, /, *others: Shape) -> View:
        """The part of the input that one output unit reads: a Window for each spatial axis, POINTWISE or EVERYTHING."""
        return self.reads

    def build(self, keras: Any, name: str) -> Layer:
        """A function that applies the Keras layer `name`; by default one of `keras_layers`, with these arguments.

        An operator may consist of several Keras layers, with weights or without. The last one is called `name`, the
        others `name.something`. If a paper draws several layers, use a block of a spec instead.
        """
        if not self.keras_layers:
            raise NotImplementedError(f"{type(self).__name__}.build")  # a plugin that forgot it
        first, arguments = self.keras_layers[0], {**vars(self), "name": name}
        if self.many:
            return lambda *inputs: getattr(keras.layers, first)(**arguments)(list(inputs))
        if first.endswith("1D"):
            return lambda x: getattr(keras.layers, self.keras_layers[len(x.shape) - 3])(**arguments)(x)
        layer: Layer = getattr(keras.layers, first)(**arguments)
        return layer

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        """The arguments with which `build` makes this Keras layer; None for any other layer (`archspec from-keras`).

        By default the attributes that the layer has under the names of the arguments, for classes in `keras_layers`.
        An activation inside the layer is read as a separate layer.

        Raises OpError: why no arguments give such a layer.
        """
        if type(layer).__name__ not in cls.keras_layers:
            return None
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise OpError(
                "it has channels first, but layers of a spec have channels last",
                help="build it with data_format='channels_last'",
            )
        given = {a.name: plain(getattr(layer, a.name), a.schema) for a in arguments(cls) if hasattr(layer, a.name)}
        if given.get("axis") == len(input_shape(layer)):
            given["axis"] = -1
        return given

    @classmethod
    def from_keras_layers(cls, layers: Sequence[Any], x: Shape) -> Mapping[str, Any] | None:
        """The arguments with which `build` may have made these layers and functions, for an operator of several.

        `archspec from-keras` builds them again with the arguments, and reads the operator if the two are equal.

        Args:
            layers: in the order of their calls; the last one, of a class in `last_layers`, gives the output.
            x: the input shape.
        """
        return None


KEEP_BATCH = "keep the batch axis as it is: each layer of a spec works on one sample at a time"
"""The remedy for a Keras layer that does not."""


def of_class(layers: Sequence[Any], *names: str) -> list[Any]:
    """The layers and functions of these Keras classes."""
    return [layer for layer in layers if type(layer).__name__ in names]


def constants(function: Any) -> list[Any]:
    """The numbers and arrays among the arguments of the first call of a function of `keras.ops`."""
    arguments = function._inbound_nodes[0].arguments
    return [each for each in (*arguments.args, *arguments.kwargs.values()) if not hasattr(each, "_keras_history")]


class Functional(Op):
    """Base of the operators whose Keras layers depend on the shape of their input."""

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        """The output (batch, ...) for the Keras tensor `x` (batch, ...), under the rules of `build`."""
        raise NotImplementedError(f"{type(self).__name__}.apply")

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x: self.apply(keras, x, name)


def plain(value: Any, schema: Schema) -> Any:
    """An attribute of a Keras layer as an argument of that schema: 3 for (3, 3) if a number is allowed."""
    if hasattr(value, "tolist"):  # of NumPy
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return value
    items = tuple(plain(item, schema.get("items", {})) for item in value)
    one_for_all = {"integer", "number"} & {*schema.get("type", ())} and len(set(items)) == 1
    return items[0] if one_for_all and not isinstance(items[0], tuple) else items


def input_shape(layer: Any) -> Shape:
    """The shape of one sample that a Keras layer reads first; () for a layer that was never called."""
    nodes = layer._inbound_nodes
    return tuple(nodes[0].input_tensors[0].shape)[1:] if nodes else ()


def only_last_axis(layer: Any) -> None:
    """Raises OpError for a Keras layer that normalizes along another axis than the channels."""
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if axes not in ([-1], [len(input_shape(layer))]):
        raise OpError(
            f"it normalizes along axis {layer.axis}, but the operator normalizes along the last axis, the channels"
        )


def ranks(name: str, highest: int = 3) -> tuple[str, ...]:
    """Keras's classes of that name: Conv -> Conv1D, Conv2D, Conv3D."""
    return tuple(f"{name}{rank}D" for rank in range(1, highest + 1))


def product(dims: Sequence[Dim]) -> int | None:
    """The product of sizes; None when one is free."""
    return None if None in dims else math.prod(dims)  # type: ignore[arg-type]


def show(shape: Sequence[Dim]) -> str:
    """(224, 224, 3); a free size is shown as None, as Keras does."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


LEAST_IMAGE = 7
"""Sides of images that may be given as vectors are larger, in pixels: 784 numbers are an image of MNIST."""


def spatial(shape: Shape, op: str) -> tuple[Dim, ...]:
    """The sizes of the spatial axes, one to three. Raises OpError for other shapes."""
    if not 2 <= len(shape) <= 4:
        fact = "a vector" if len(shape) == 1 else f"{len(shape)} axes"
        help = "write `- reshape: [HEIGHT, WIDTH, CHANNELS]` before it" if len(shape) == 1 else None
        side = math.isqrt(shape[0] or 0)
        if len(shape) == 1 and side > LEAST_IMAGE and side * side == shape[0]:
            help = f"for images of {side} x {side} pixels, write `[{side}, {side}, 1]` for `[{shape[0]}]`"
        raise OpError(
            f"`{op}` needs (length, channels), (height, width, channels) or "
            f"(depth, height, width, channels), but got {show(shape)}: {fact}",
            help=help,
        )
    return shape[:-1]


def channels(shape: Shape, op: str) -> int:
    """The number of channels. Raises OpError when it is free."""
    if not shape or shape[-1] is None:
        raise OpError(f"`{op}` needs a known number of channels, but got {show(shape)}")
    return shape[-1]


def per_axis(value: Any, rank: int, argument: str) -> tuple[Any, ...]:
    """One value for each spatial axis: 3 -> (3, 3). Raises OpError when there are more or fewer values than axes."""
    if not isinstance(value, tuple):
        return (value,) * rank
    if len(value) != rank:
        raise OpError(f"`{argument}` has {counted(len(value), 'value')} for {counted(rank, 'spatial axis')}", argument)
    return value


def keras_axis(axis: int, shape: Shape, argument: str = "axis") -> int:
    """The index in `shape` of an axis that counts the batch axis as 0, as Keras does; -1 is the last.

    Raises OpError for the batch axis and for axes that do not exist.
    """
    index = axis - 1 if axis >= 0 else axis + len(shape)
    if 0 <= index < len(shape):
        return index
    fact = "the batch axis" if index == -1 else f"not an axis of {show(shape)}"
    raise OpError(
        f"`{argument}: {axis}` is {fact}", argument, f"use an axis from 1 to {len(shape)}, or -1 for the channels"
    )
