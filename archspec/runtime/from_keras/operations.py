"""How functions of `keras.ops` are read: arithmetic between layers, as in keras.applications.MobileNetV3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archspec.declare import arguments
from archspec.ops import OPS
from archspec.ops.activation import Activation
from archspec.runtime.from_keras.arguments import plain
from archspec.runtime.from_keras.maps import reshaped
from archspec.runtime.from_keras.reading import NotReadable, Reading, reads

MERGES = {"Add": "add", "Multiply": "multiply", "Maximum": "maximum", "Average": "average"}


@reads(*MERGES)
def merge(reading: Reading) -> int:
    """A merge of layers; or of a layer and a number: x + 3, x * 1 / 6."""
    kind = reading.call.kind
    if len(reading.inputs) > 1:
        return reading.add(MERGES[kind])
    value = _number(reading)
    if kind == "Add":
        return reading.add("rescale", scale=1.0, offset=value)
    if kind == "Multiply":
        return reading.add("rescale", scale=value)
    raise NotReadable(f"it merges one layer with {value}")


@reads("Subtract")
def subtract(reading: Reading) -> int:
    if len(reading.inputs) > 1:
        x, y = reading.inputs
        return reading.add("add", x, reading.add("rescale", y, scale=-1.0))
    value = _number(reading)
    if _given(reading)[0] is value:  # 1 - x
        return reading.add("rescale", scale=-1.0, offset=value)
    return reading.add("rescale", scale=1.0, offset=-value)


@reads("Divide", "TrueDivide")
def divide(reading: Reading) -> int:
    value = _number(reading)
    if len(reading.inputs) > 1 or _given(reading)[0] is value:
        raise NotReadable("a page divides by numbers only")
    return reading.add("rescale", scale=1 / value)


def _given(reading: Reading) -> list[Any]:
    """The arguments of the call, in their order."""
    given = reading.call.node.arguments
    return [*given.args, *given.kwargs.values()]


def _number(reading: Reading) -> Any:
    """The argument that is no layer: a number, or one for each channel."""
    import keras

    found = [value for value in _given(reading) if not isinstance(value, keras.KerasTensor) and value is not None]
    try:
        (value,) = found
        return value if isinstance(value, float) else plain(value)
    except (TypeError, ValueError):
        raise NotReadable(f"one of its arguments is neither a layer nor a number: {found}") from None


@reads("Mean", "Max")
def reduction(reading: Reading) -> int:
    """The mean or maximum over all positions."""
    operation = reading.layer
    rank = len(reading.shape(reading.inputs[0]))
    axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    if sorted(axis % (rank + 1) if isinstance(axis, int) else -1 for axis in axes) != list(range(1, rank)):
        raise NotReadable(f"it reduces along {operation.axis}, and a page over all positions")
    head = "global_avgpool" if reading.call.kind == "Mean" else "global_maxpool"
    return reading.add(head, keepdims=bool(operation.keepdims))


@reads("Pad")
def pad(reading: Reading) -> int:
    operation = reading.layer
    pixels = [tuple(side) for side in operation.pad_width]
    values = _given(reading)[1:]
    fill = [value for value in values if isinstance(value, (int, float)) and value]
    if operation.mode != "constant" or fill or pixels[0] != (0, 0) or pixels[-1] != (0, 0):
        raise NotReadable("it pads with something other than zeros, or the channels")
    return reading.add("zero_pad", padding=tuple(pixels[1:-1]))


def reshape(reading: Reading) -> int:
    return reshaped(reading, tuple(reading.layer.newshape)[1:])


def activation(reading: Reading) -> int | None:
    """A function such as `keras.ops.silu`, with its arguments; None for any other."""
    head = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reading.call.kind).lower()
    op = OPS.get(head)
    if op is None or not issubclass(op, Activation) or len(reading.inputs) != 1:
        return None
    given: Mapping[str, Any] = vars(reading.layer)
    names = [argument.name for argument in arguments(op)]
    rank = len(reading.shape(reading.inputs[0]))
    args = {name: given[name] for name in names if name in given}
    if args.get("axis") == rank:
        args["axis"] = -1
    return reading.add(head, **args)
