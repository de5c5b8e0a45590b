"""Merges of two or more inputs, with broadcasting as in Keras: (1, 1, C) with (H, W, C)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import zip_longest
from typing import Any, ClassVar

from archspec.declare import BOOLEAN, INTEGER, Schema, arg, declared
from archspec.ops.base import EVERYTHING, POINTWISE, Dim, Layer, Op, OpError, Shape, View, keras_axis, product, show

AXES: Schema = {"type": ["integer", "array"], "items": INTEGER, "minItems": 2, "maxItems": 2}


def at_least_two(inputs: Sequence[Shape], op: str) -> None:
    if len(inputs) < 2:
        raise OpError(f"`{op}` needs at least two inputs, but has {len(inputs)}")


def phrase(inputs: Sequence[Shape]) -> str:
    """(5, 4, 3), (5, 4, 1) and (4, 3)."""
    shown = [show(shape) for shape in inputs]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


class Merge(Op):
    """Base of the element-wise merges."""

    many = True
    verb: ClassVar[str] = ""
    """The verb in its errors, by default its name: cannot add ..."""
    examples = (
        ({}, [(5, 4, 3), (5, 4, 3)]),
        ({}, [(5, 4, 3), (1, 1, 3), (3,)]),
        ({}, [(1, 1, 3), (None, None, 3)]),
    )

    def shape(self, *inputs: Shape) -> Shape:
        at_least_two(inputs, self.name)
        return reduce(lambda one, other: one if one == other else self.broadcast(one, other, inputs), inputs)

    def beside_free(self, size: Dim) -> Dim:
        """The size of an axis that is free in one input, and has this size in the other: the layers of Keras keep it
        free."""
        return None

    def broadcast(self, one: Shape, other: Shape, inputs: Sequence[Shape]) -> Shape:
        """Axes are compared from the last one on: equal, 1, or free. A missing axis counts as 1."""
        sizes: list[Dim] = []
        for a, b in zip_longest(reversed(one), reversed(other), fillvalue=1):
            if a is None or b is None:
                sizes.append(self.beside_free(b if a is None else a))
            elif a == b or b == 1:
                sizes.append(a)
            elif a == 1:
                sizes.append(b)
            else:
                raise OpError(f"cannot {self.verb or self.name} {phrase(inputs)}")
        return tuple(reversed(sizes))


@declared
class Add(Merge):
    """Sum of the inputs, element by element (He et al. 2016, section 3.2).

    Shapes: (H, W, C), (H, W, C), ... -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "add"
    keeps = ()
    keras_layers = ("Add",)


@declared
class Multiply(Merge):
    """Product of the inputs, element by element: the excitation of Hu et al. 2018, section 3.2.

    Shapes: (H, W, C), (1, 1, C), ... -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "multiply"
    keras_layers = ("Multiply",)


@declared
class Average(Merge):
    """Mean of the inputs, element by element.

    Shapes: (H, W, C), (H, W, C), ... -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "average"
    keeps = ()
    keras_layers = ("Average",)


@declared
class Maximum(Merge):
    """Maximum of the inputs, element by element (maxout: Goodfellow et al. 2013, section 3).

    Shapes: (H, W, C), (H, W, C), ... -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "maximum"
    keras_layers = ("Maximum",)
    verb = "take the maximum of"


@declared
class Minimum(Merge):
    """Minimum of the inputs, element by element.

    Shapes: (H, W, C), (H, W, C), ... -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "minimum"
    keras_layers = ("Minimum",)
    verb = "take the minimum of"


class Pair(Merge):
    """Base of the merges of exactly two inputs, in their order."""

    verb = "combine"
    function: ClassVar[str] = ""
    """Its name in `keras.ops`."""

    examples = (
        ({}, [(5, 4, 3), (5, 4, 3)]),
        ({}, [(5, 4, 3), (1, 1, 3)]),
        ({}, [(1, 1, 3), (None, None, 3)]),
    )

    def shape(self, *inputs: Shape) -> Shape:
        if len(inputs) != 2:
            raise OpError(f"`{self.name}` needs exactly two inputs, but has {len(inputs)}")
        if len(inputs[0]) != len(inputs[1]):  # `keras.ops` would align the batch axis of one with a row of the other
            raise OpError(
                f"`{self.name}` needs inputs with as many axes, but got {phrase(inputs)}",
                help="add axes of size 1 with `reshape`, or keep them with `keepdims: true`",
            )
        return super().shape(*inputs)

    def beside_free(self, size: Dim) -> Dim:
        return None if size == 1 else size  # as `keras.ops` tells: other sizes than this one do not fit

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x, y: keras.layers.Identity(name=name)(getattr(keras.ops, self.function)(x, y))


@declared
class Subtract(Pair):
    """First input less the second, element by element.

    Shapes: (H, W, C), (H, W, C) -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "subtract"
    keeps = ()
    function = "subtract"
    keras_layers = ("Subtract",)
    verb = "subtract"


@declared
class Divide(Pair):
    """First input divided by the second, element by element.

    Shapes: (H, W, C), (H, W, C) -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "divide"
    function = "divide"
    keras_layers = ("Divide", "TrueDivide")
    verb = "divide"


@declared
class Power(Pair):
    """First input to the power of the second, element by element; the first must be at least 0.

    Shapes: (H, W, C), (H, W, C) -> (H, W, C); an axis of size 1 is repeated.
    """

    name = "power"
    keeps = ("inputs", "output")
    function = "power"
    keras_layers = ("Power",)


@declared
class Concat(Op):
    """Concatenate the inputs along an axis, by default the channels (Szegedy et al. 2015, section 4).

    Shapes: (H, W, C1), (H, W, C2), ... -> (H, W, C1 + C2 + ...).
    """

    name = "concat"
    keras_layers = ("Concatenate",)
    keeps = ()
    many = True
    examples = (
        ({}, [(5, 4, 3), (5, 4, 2), (5, 4, 6)]),
        ({"axis": 1}, [(2, 4, 3), (5, 4, 3)]),
        ({"axis": -2}, [(None, 4, 3), (None, 1, 3)]),
    )

    axis: int = arg(INTEGER, "axis, from 1 because axis 0 is the batch; -1 is the channels", -1)

    def shape(self, *inputs: Shape) -> Shape:
        first = inputs[0]
        at_least_two(inputs, self.name)
        index = keras_axis(self.axis, first)
        total: Dim = 0
        for x in inputs:
            fits = len(x) == len(first) and all(
                a == b or a is None or b is None or axis == index
                for axis, (a, b) in enumerate(zip(first, x, strict=True))
            )
            if not fits:
                raise OpError(
                    f"cannot concatenate {phrase(inputs)} along axis {self.axis}",
                    help="the sizes along all other axes must be equal",
                )
            size = x[index]
            total = None if total is None or size is None else total + size
        return (*first[:index], total, *first[index + 1 :])

    def view(self, *inputs: Shape) -> View:
        return POINTWISE if self.axis in (-1, len(inputs[0])) else EVERYTHING


@declared
class Dot(Op):
    """Sums of products along one axis of each of two inputs: a scalar product of vectors, a product of matrices.

    Shapes: (C,), (C,) -> (1,); (L, C), (M, C) -> (L, M) for `axes: -1`; (L, M), (M, C) -> (L, C) for `axes: [2, 1]`.
    MACs: one for each product: L M C.
    """

    name = "dot"
    many = True
    keras_layers = ("Dot",)
    reads = EVERYTHING
    examples = (
        ({"axes": -1}, [(5,), (5,)]),
        ({"axes": -1, "normalize": True}, [(4, 3), (6, 3)]),
        ({"axes": [2, 1]}, [(4, 6), (6, 3)]),
    )

    axes: int | tuple[int, int] = arg(
        AXES, "axis of both inputs, or one for each, from 1 because axis 0 is the batch; -1 is the last"
    )
    normalize: bool = arg(BOOLEAN, "divide by the norms along the axes: cosine similarity", False)

    def indices(self, inputs: Sequence[Shape]) -> tuple[int, int]:
        """The index of the axis of each input. Raises OpError for other than two inputs, and for unequal sizes."""
        if len(inputs) != 2:
            raise OpError(f"`{self.name}` needs exactly two inputs, but has {len(inputs)}")
        one, other = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        first, second = keras_axis(one, inputs[0], "axes"), keras_axis(other, inputs[1], "axes")
        a, b = inputs[0][first], inputs[1][second]
        if a != b and None not in (a, b):
            raise OpError(f"the axes have the sizes {a} and {b}: the inputs are {phrase(inputs)}", "axes")
        return first, second

    def shape(self, *inputs: Shape) -> Shape:
        first, second = self.indices(inputs)
        x, y = inputs
        return (*x[:first], *x[first + 1 :], *y[:second], *y[second + 1 :]) or (1,)

    def macs(self, *inputs: Shape) -> int | None:
        return product((*self.shape(*inputs), inputs[0][self.indices(inputs)[0]]))


@declared
class Matmul(Merge):
    """Matrix product of two inputs over their last two axes, as `keras.ops.matmul`: attention with heads of its own.

    Shapes: (L, K), (K, M) -> (L, M); (H, L, K), (H, K, M) -> (H, L, M), where a leading axis of size 1 is repeated.
    MACs: one for each product: H L K M.
    """

    name = "matmul"
    verb = "multiply the matrices of"
    keras_layers = ("Matmul",)
    reads = EVERYTHING
    examples = (
        ({}, [(4, 6), (6, 3)]),
        ({}, [(2, None, 6), (2, 6, 5)]),
        ({}, [(5, 3, 4, 6), (1, 3, 6, 2)]),
    )

    def shape(self, *inputs: Shape) -> Shape:
        if len(inputs) != 2:
            raise OpError(f"`{self.name}` needs exactly two inputs, but has {len(inputs)}")
        x, y = inputs
        if len(x) != len(y) or len(x) < 2:
            raise OpError(
                f"`{self.name}` needs two inputs with as many axes, at least two, but got {phrase(inputs)}",
                help="add axes of size 1 with `reshape`, or write `dot` for vectors",
            )
        if x[-1] != y[-2] and None not in (x[-1], y[-2]):
            raise OpError(
                f"the first input has {x[-1]} columns and the second {y[-2]} rows: they are {phrase(inputs)}",
                help="the last axis of the first input and the last but one of the second must be equal; "
                "`permute` exchanges axes",
            )
        return (*self.broadcast(x[:-2], y[:-2], inputs), x[-2], y[-1])

    def macs(self, *inputs: Shape) -> int | None:
        return product((*self.shape(*inputs), inputs[0][-1]))

    def build(self, keras: Any, name: str) -> Layer:
        return lambda x, y: keras.layers.Identity(name=name)(keras.ops.matmul(x, y))
