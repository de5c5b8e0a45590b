"""Reductions along axes, under the names of `tf.math`: reduce_mean, reduce_sum, reduce_max, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from archspec.declare import BOOLEAN, INTEGER, Schema, arg, declared
from archspec.diagnostics import listed
from archspec.ops.base import (
    EVERYTHING,
    KEEP_BATCH,
    POINTWISE,
    Functional,
    OpError,
    Shape,
    View,
    input_shape,
    keras_axis,
    show,
)

AXIS: Schema = {"type": ["integer", "array"], "items": INTEGER, "minItems": 1}


class Reduction(Functional):
    """Base of the reductions of `keras.ops`."""

    function: ClassVar[str] = ""
    """Its name in `keras.ops`."""
    examples = (
        ({"axis": -1, "keepdims": True}, [(5, 4, 3)]),
        ({"axis": -1}, [(5, 4, 3)]),
        ({"axis": [1, 2]}, [(5, 4, 3)]),
        ({"axis": 1, "keepdims": True}, [(None, 3)]),
    )

    axis: int | tuple[int, ...]
    keepdims: bool

    def axes(self, x: Shape) -> list[int]:
        """Indices of the axes in `x`."""
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = [keras_axis(axis, x) for axis in given]
        if len(set(axes)) < len(axes):
            raise OpError(f"`axis: {list(given)}` names an axis twice", "axis")
        if len(axes) == len(x) and not self.keepdims:
            raise OpError(f"`{self.name}` along all axes of {show(x)} leaves none", "keepdims", "add `keepdims: true`")
        return axes

    def shape(self, x: Shape, *others: Shape) -> Shape:
        axes = self.axes(x)
        sizes = (1 if index in axes else size for index, size in enumerate(x))
        return tuple(size for index, size in enumerate(sizes) if self.keepdims or index not in axes)

    def view(self, x: Shape, *others: Shape) -> View:
        """Along the channels only, each output unit reads its own pixel."""
        return POINTWISE if self.keepdims and self.axes(x) == [len(x) - 1] else EVERYTHING

    def apply(self, keras: Any, x: Any, name: str) -> Any:
        axes = [index + 1 for index in sorted(self.axes(tuple(x.shape)[1:]))]
        reduced = getattr(keras.ops, self.function)(x, axis=axes, keepdims=self.keepdims)
        return keras.layers.Identity(name=name)(reduced)

    @classmethod
    def from_keras(cls, layer: Any) -> Mapping[str, Any] | None:
        """A mean or maximum over all spatial axes is read as `global_avgpool` or `global_maxpool` instead."""
        if type(layer).__name__ not in cls.keras_layers:
            return None
        x = input_shape(layer)
        given = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
        if None in given or 0 in given:
            whole = "all axes" if None in given else f"axis {listed(given)}"
            raise OpError(f"it reduces {whole}, the batch axis included", help=KEEP_BATCH)
        axes = sorted(keras_axis(int(axis), x) for axis in given)
        if len(axes) == len(x) and not layer.keepdims:
            raise OpError("its output has no axis besides the batch", help="use `keepdims=True`")
        if cls.name in ("reduce_mean", "reduce_max") and axes == list(range(len(x) - 1)):
            return None
        named = [-1 if axis == len(x) - 1 else axis + 1 for axis in axes]
        return {"axis": named[0] if len(named) == 1 else named, "keepdims": bool(layer.keepdims)}


def reduction(name: str, doc: str, read: str, keeps: tuple[str, ...]) -> None:
    """Declare the reduction `name`; `read` is the class of the operation in `keras.ops`."""
    title = name.title().replace("_", "")
    namespace = {
        "__doc__": f"{doc}\n\nShapes: (H, W, C) -> (H, W) for `axis: -1`, (H, W, 1) with `keepdims`.",
        "__module__": __name__,
        "__annotations__": {"axis": Any, "keepdims": Any},
        "name": name,
        "function": read.lower(),
        "keras_layers": (read,),
        "keeps": keeps,
        "axis": arg(AXIS, "axis, or a list of them, from 1 because axis 0 is the batch; -1 is the channels"),
        "keepdims": arg(BOOLEAN, "keep the reduced axes, with size 1", False),
    }
    globals()[title] = declared(type(title, (Reduction,), namespace))


reduction(
    "reduce_mean", "Mean along axes, e.g. over the channels (spatial attention: Woo et al. 2018, CBAM).", "Mean", ()
)
reduction("reduce_sum", "Sum along axes.", "Sum", ())
reduction("reduce_max", "Maximum along axes.", "Max", ("inputs", "output"))
reduction("reduce_min", "Minimum along axes.", "Min", ("inputs", "output"))
reduction("reduce_variance", "Variance along axes, divided by the number of values.", "Var", ("inputs",))
