"""Calls without an operator of their own: arithmetic with numbers, sums of scaled layers, layers without effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archspec.declare import freeze
from archspec.diagnostics import Source, Span, listed
from archspec.graph.compile.inference import WrongArgument, infer, made
from archspec.graph.ir import Node
from archspec.ops.base import OpError, plain, show
from archspec.ops.scale import PER_CHANNEL
from archspec.runtime.models.keras_graph import Call

NOWHERE = Span(Source("", ""), 1, 1, 1, 1)
"""The place of a node: a model has no lines."""


@dataclass(frozen=True)
class Reading:
    """A call of a Keras layer, the nodes that it reads, and the nodes of the graph so far."""

    call: Call
    inputs: tuple[int, ...]
    nodes: list[Node]

    @property
    def layer(self) -> Any:
        """The Keras layer, or the operation of `keras.ops`."""
        return self.call.operation

    @property
    def given(self) -> list[Any]:
        """The arguments of the call, in their order."""
        arguments = self.call.node.arguments
        return [*arguments.args, *arguments.kwargs.values()]

    def add(self, head: str, *inputs: int, **args: Any) -> int:
        """A node for an operator on the given nodes, by default on the inputs of the call. Returns its position.

        Raises OpError: the operator does not accept the inputs of the layer.
        """
        inputs = inputs or self.inputs
        shapes = tuple(self.nodes[index].shape for index in inputs)
        try:
            op = made(head, {word: freeze(value) for word, value in args.items()})
            facts = infer(op, shapes)
        except (WrongArgument, OpError) as error:
            raise OpError(f"`{head}` does not accept it: {error} (its input is {listed(map(show, shapes))})") from error
        self.nodes.append(Node(self.call.path, op, inputs, facts, NOWHERE))
        return len(self.nodes) - 1


def merge(reading: Reading) -> int | None:
    """x + 3, x * 1 / 6; None for a merge of several layers."""
    if len(reading.inputs) > 1:
        return None
    value = _number(reading)
    if reading.call.kind == "Add":
        return reading.add("rescale", scale=1.0, offset=value)
    if reading.call.kind == "Multiply":
        return reading.add("rescale", scale=value)
    raise OpError(f"it combines a layer with the number {value}")


def subtract(reading: Reading) -> int:
    if len(reading.inputs) > 1:
        return reading.add("subtract")
    value = _number(reading)
    if _number_first(reading):  # 1 - x
        return reading.add("rescale", scale=-1.0, offset=value)
    return reading.add("rescale", scale=1.0, offset=-value)


def divide(reading: Reading) -> int:
    if len(reading.inputs) > 1:
        return reading.add("divide")
    value = _number(reading)
    if _number_first(reading):  # 1 / x
        return reading.add("rescale", reading.add("reciprocal"), scale=value)
    return reading.add("rescale", scale=1 / value)


POWERS = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}


def power(reading: Reading) -> int:
    """x ** 2, x ** 0.5, or a power of two layers."""
    if len(reading.inputs) > 1:
        return reading.add("power")
    value = _number(reading)
    if _number_first(reading) or value not in POWERS:
        raise OpError(f"a spec has the powers {', '.join(f'{number:g}' for number in POWERS)}, and not {value}")
    return reading.add(POWERS[value])


def _number_first(reading: Reading) -> bool:
    import keras

    return not isinstance(reading.given[0], keras.KerasTensor)


def _number(reading: Reading) -> Any:
    """The constant argument of the call: a number, or one for each channel."""
    import keras
    import numpy as np

    found = [value for value in reading.given if not isinstance(value, keras.KerasTensor) and value is not None]
    try:
        (value,) = found
        return value if isinstance(value, float) else plain(np.asarray(value, "float64").reshape(-1), PER_CHANNEL)
    except (TypeError, ValueError):
        raise OpError(f"one of its arguments is neither a layer nor a number: {found}") from None


def pad(reading: Reading) -> int:
    """`keras.ops.pad` with zeros around the spatial axes."""
    batch, *pixels, channels = map(tuple, reading.layer.pad_width)
    fill = [value for value in reading.given[1:] if isinstance(value, (int, float)) and value]
    if reading.layer.mode != "constant" or fill or batch != (0, 0) or channels != (0, 0):
        raise OpError("it pads the channels, or with values other than zero")
    return reading.add("zero_pad", padding=pixels)


def scaled_sum(reading: Reading) -> int:
    """x + scale y, a layer of keras.applications.inception_resnet_v2."""
    x, y = reading.inputs
    return reading.add("add", x, reading.add("rescale", y, scale=float(reading.layer.scale)))


def nothing(reading: Reading) -> int:
    """A layer that has no effect at inference and no operator is left out."""
    return reading.inputs[0]


READERS: dict[str, Callable[[Reading], int | None]] = {
    **dict.fromkeys(("Add", "Multiply", "Maximum", "Minimum", "Average"), merge),
    "Subtract": subtract,
    **dict.fromkeys(("Divide", "TrueDivide"), divide),
    "Power": power,
    "Pad": pad,
    "CustomScaleLayer": scaled_sum,
    **dict.fromkeys(("Identity", "ActivityRegularization", "GaussianNoise", "GaussianDropout"), nothing),
}
"""Class of a call -> reader, which returns the node for the call, or None if an operator reads the layer."""
