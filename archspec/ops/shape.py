"""Changes of shape and order: flatten, reshape, permute, take, slice, flip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archspec.declare import INTEGER, POSITIVE, Schema, arg, declared, optional
from archspec.diagnostics import counted
from archspec.ops.base import (
    EVERYTHING,
    KEEP_BATCH,
    POINTWISE,
    Functional,
    Op,
    OpError,
    Shape,
    View,
    Window,
    input_shape,
    keras_axis,
    product,
    show,
)

DIMS: Schema = {"type": "array", "items": POSITIVE, "minItems": 1}
TARGET_SHAPE: Schema = {"type": "array", "items": {"type": "integer", "minimum": -1}, "minItems": 1}


@declared
class Flatten(Op):
    """Flatten the feature map to a vector, row by row, channels last.

    Shapes: (H, W, C) -> (H W C,).
    """

    name = "flatten"
    keras_layers = ("Flatten",)
    keeps = ()
    in_place = True
    reads = EVERYTHING
    examples = (
        ({}, [(5, 4, 3)]),
        ({}, [(7,)]),
    )

    def shape(self, x: Shape, *others: Shape) -> Shape:
        size = product(x)
        if size is None:
            raise OpError(
                f"cannot flatten {show(x)}: a size is free",
                help="use `global_avgpool`, or give `input` a fixed size",
            )
        return (size,)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        to_a_vector = len(_target(layer) or ()) == 1 and None not in input_shape(layer)
        return {} if to_a_vector else super().from_keras(layer)


@declared
class Reshape(Op):
    """Change the shape and keep the values in order: row by row, channels last.

    Shapes: (H, W, C) -> target_shape, where one size may be -1 and follows from the others.
    """

    name = "reshape"
    keras_layers = ("Reshape",)
    keeps = ()
    in_place = True
    reads = EVERYTHING
    examples = (
        ({"target_shape": [2, 8, 3]}, [(48,)]),
        ({"target_shape": [-1, 6]}, [(5, 4, 3)]),
        ({"target_shape": [-1, 2, 6]}, [(None, 4, 3)]),
    )

    target_shape: tuple[int, ...] = arg(TARGET_SHAPE, "sizes without the batch; one may be -1")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        target = self.target_shape
        if 0 in target or target.count(-1) > 1:
            fact = "has a size of 0" if 0 in target else "has more than one -1"
            raise OpError(f"`target_shape` {fact}: {show(target)}", "target_shape")
        size = product(x)
        rest = math.prod(value for value in target if value != -1)
        if size is None:
            if -1 not in target:
                raise OpError(
                    f"cannot reshape {show(x)} into {show(target)}: a size is free",
                    "target_shape",
                    "set the size of `target_shape` that is free to -1",
                )
            return tuple(None if value == -1 else value for value in target)
        if size % rest or (-1 not in target and size != rest):
            if -1 in target:
                fact, help = f"{counted(size, 'value')} cannot be divided into rows of {rest}", "change the known sizes"
            else:
                fact = f"the input has {counted(size, 'value')}, but the new shape has {rest:,}"
                help = "give sizes with the same product, or -1 for one that follows from the others"
            if not size % rest and -1 not in target:
                free = (-1, *target) if len(target) == 1 else (-1, *target[1:])
                fits = size % math.prod(free[1:]) == 0
                help = f"write `reshape: [{', '.join(map(str, free))}]`: -1 follows from the others" if fits else help
            raise OpError(f"cannot reshape {show(x)} into {show(target)}: {fact}", "target_shape", help)
        return tuple(size // rest if value == -1 else value for value in target)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        target = _target(layer)
        if target is None or Flatten.from_keras(layer) is not None:
            return None
        return {"target_shape": [-1 if size is None else size for size in target]}


def _target(layer: Any) -> Shape | None:
    """The sizes that Keras's Reshape gives, as a layer or as a function of `keras.ops`; None for any other layer."""
    if type(layer).__name__ != "Reshape":
        return None
    target = tuple(layer.target_shape if hasattr(layer, "target_shape") else layer.newshape[1:])
    size = product(input_shape(layer))
    rest = math.prod(value for value in target if value not in (None, -1))
    if size is not None and (size % rest or (size != rest and not {None, -1} & {*target})):
        raise OpError("it moves values from one image of the batch to another", help=KEEP_BATCH)
    return target


@declared
class Take(Functional):
    """Select one position along an axis and remove the axis: `take: 0` is the class token of a sequence.

    Shapes: (L, C) -> (C,); (H, W, C) -> (W, C).
    """

    name = "take"
    keeps = ()
    reads = EVERYTHING
    examples = (
        ({"indices": 0}, [(7, 4)]),
        ({"indices": -1}, [(None, 5, 3)]),
        ({"indices": 2, "axis": 2}, [(None, 5, 3)]),
    )

    indices: int = arg(INTEGER, "position, from 0; -1 is the last")
    axis: int = arg(INTEGER, "axis, from 1 because axis 0 is the batch; -1 is the channels", 1)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        index = keras_axis(self.axis, x)
        if len(x) == 1:
            raise OpError(
                "`take` cannot remove the only axis of a vector", help="use `select_channels`, which keeps the axis"
            )
        size = x[index]
        if size is not None and not -size <= self.indices < size:
            raise OpError(f"axis {self.axis} has {size} positions, but no position {self.indices}", "indices")
        return (*x[:index], *x[index + 1 :])

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        axis = keras_axis(self.axis, tuple(x.shape)[1:]) + 1
        return keras.layers.Identity(name=name)(x[(*(slice(None),) * axis, self.indices)])


@declared
class Permute(Op):
    """Reorder the axes: `permute: [2, 1]` exchanges the positions and channels of a sequence.

    Shapes: (L, C) -> (C, L) for `dims: [2, 1]`. MLP-Mixer (Tolstikhin et al. 2021, section 2).
    """

    name = "permute"
    keras_layers = ("Permute", "Transpose")
    keeps = ()
    examples = (
        ({"dims": [2, 1]}, [(7, 4)]),
        ({"dims": [3, 1, 2]}, [(5, 4, 3)]),
        ({"dims": [2, 1, 3]}, [(None, 4, 3)]),
    )

    dims: tuple[int, ...] = arg(DIMS, "the axes in their new order, from 1 because axis 0 is the batch")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        if sorted(self.dims) != list(range(1, len(x) + 1)):
            raise OpError(
                f"`dims: {list(self.dims)}` is no order of the {counted(len(x), 'axis')} of {show(x)}",
                "dims",
                f"write each of {', '.join(map(str, range(1, len(x) + 1)))} once",
            )
        return tuple(x[axis - 1] for axis in self.dims)

    def view(self, x: Shape, *others: Shape) -> View:
        return POINTWISE if self.dims == tuple(range(1, len(x) + 1)) else EVERYTHING

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        if type(layer).__name__ != "Transpose":
            return super().from_keras(layer)
        axes = [axis % (len(input_shape(layer)) + 1) for axis in layer.axes or ()]
        if not axes or axes[0]:
            raise OpError("it moves the batch axis", help=KEEP_BATCH)
        return {"dims": axes[1:]}


@declared
class Slice(Functional):
    """Part of an axis, from position `start` up to but without `end`: a split of channels, e.g. in CSPNet.

    Shapes: (H, W, C) -> (H, W, ceil((end - start) / step)) for `axis: -1`.
    """

    name = "slice"
    keeps = ()
    examples = (
        ({"end": 2}, [(5, 4, 3)]),
        ({"start": 1, "end": 3, "axis": 1}, [(5, 4, 3)]),
        ({"start": -2}, [(None, 7)]),
        ({"start": 1, "end": -1, "axis": 1}, [(None, 7)]),
        ({"start": 1, "step": 2, "axis": 1}, [(5, 4, 3)]),
    )

    start: int = arg(INTEGER, "first position, from 0; negative values count from the end", 0)
    end: int | None = arg(optional(INTEGER), "position after the last one; null for the end of the axis", None)
    axis: int = arg(INTEGER, "axis, from 1 because axis 0 is the batch; -1 is the channels", -1)
    step: int = arg(POSITIVE, "distance from one position to the next: 2 keeps every second one", 1)

    def shape(self, x: Shape, *others: Shape) -> Shape:
        index = keras_axis(self.axis, x)
        size = x[index]
        if size is None:
            return (*x[:index], None, *x[index + 1 :])
        for word, position in (("start", self.start), ("end", self.end or 0)):
            if not -size <= position <= size:
                raise OpError(f"axis {self.axis} has {counted(size, 'position')}, but `{word}` is {position}", word)
        kept = len(range(*slice(self.start, self.end, self.step).indices(size)))
        if not kept:
            raise OpError(f"nothing lies between `start: {self.start}` and `end: {self.end}` of {size}", "end")
        return (*x[:index], kept, *x[index + 1 :])

    def view(self, x: Shape, *others: Shape) -> View:
        index = keras_axis(self.axis, x)
        if index == len(x) - 1:
            return POINTWISE
        size, start = x[index], self.start
        if size is None and start < 0:
            return EVERYTHING
        before = -(start if start >= 0 else start + (size or 0))
        return tuple(Window(1, self.step, before) if axis == index else Window() for axis in range(len(x) - 1))

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        axis = keras_axis(self.axis, tuple(x.shape)[1:]) + 1
        return keras.layers.Identity(name=name)(x[(*(slice(None),) * axis, slice(self.start, self.end, self.step))])


@declared
class Flip(Functional):
    """Reverse the order along an axis: the rows of an image, or a sequence read from its end.

    Shapes: as its input.
    """

    name = "flip"
    keeps = ()
    reads = EVERYTHING
    examples = (
        ({"axis": 1}, [(7, 4)]),
        ({"axis": 2}, [(None, 5, 3)]),
        ({"axis": -1}, [(5, 4, 3)]),
    )

    axis: int = arg(INTEGER, "axis to reverse, from 1 because axis 0 is the batch; -1 is the channels")

    def shape(self, x: Shape, *others: Shape) -> Shape:
        keras_axis(self.axis, x)
        return x

    def view(self, x: Shape, *others: Shape) -> View:
        return POINTWISE if self.axis in (-1, len(x)) else EVERYTHING

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        axis = keras_axis(self.axis, tuple(x.shape)[1:]) + 1
        return keras.layers.Identity(name=name)(keras.ops.flip(x, axis))
