"""What LiteRT's converter cannot convert: the operators, and the layers of the spec that they are in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from archspec.runtime.models.keras_graph import Call, KerasGraph, keras_graph

MOST_NAMED = 3
MANY_AXES = 4
"""Operators of more axes are named with their number: LiteRT has `Transpose`, but of at most six axes."""

Refused = tuple[str, tuple[int | None, ...]]
"""An operator of TensorFlow, and its output shape with the batch axis."""


def refused(error: str) -> list[Refused]:
    """The operators that a message of the converter is about, in its order."""
    found = re.findall(r'see current operation: %\d+ = "tf\.(\w+)".*-> tensor<([^>]*)>', error)
    split = [(name, sizes.split("x")[:-1]) for name, sizes in found]
    shapes = [(name, tuple(None if size == "?" else int(size) for size in sizes)) for name, sizes in split]
    return list(dict.fromkeys(shapes))


def missing_operators(error: str) -> str:
    """The operators in a message of the converter that LiteRT has no builtin form of."""
    names = [f"{name} of {len(shape)} axes" if len(shape) > MANY_AXES else name for name, shape in refused(error)]
    names = names or re.findall(r"'tf\.(\w+)' op is neither", error)
    names = names or re.findall(r"tf\.(\w+)", error.partition("Details:")[2])
    if not names:
        return f"an operator that LiteRT does not have: {error.strip().splitlines()[0][:200]}"
    return f"operators that LiteRT does not have: {', '.join(dict.fromkeys(names))}"


def places(error: str, model: Any) -> list[str]:
    """The layers of a Keras model that these operators are in, as notes."""
    import keras

    graph = keras_graph(model)
    layers = [call for call in graph.calls if isinstance(call.operation, keras.Layer)]
    found: dict[str, None] = {}
    for line in error.splitlines():
        location = re.search(r'fused\["\w+:", "([^"@]*)', line) if "op is neither a custom op" in line else None
        scopes = [re.sub(r"_\d+\Z", "", scope) for scope in location[1].split("/")[:-1]] if location else []
        found.update(dict.fromkeys(call.path for call in layers if call.operation.name in scopes))
    for name, shape in refused(error):
        for index, call in enumerate(graph.calls):
            if call.kind.lower() == name.lower() and call not in layers and (*call.shape,) == shape[1:]:
                found.update(dict.fromkeys(list(_next_layers(graph, index)) or [call.path]))  # it may be an output
    return [f"in the layer `{name.replace('.', '/')}`" for name in list(found)[:MOST_NAMED]]


def _next_layers(graph: KerasGraph, function: int) -> Iterable[str]:
    """The first layers that read a function of `keras.ops`: the last layer of an operator has the name of the spec."""
    import keras

    def reads(call: Call, sources: set[int]) -> bool:
        return any(source in sources for source, _ in call.inputs)

    inside = {function}
    for index in range(function + 1, len(graph.calls)):
        call = graph.calls[index]
        if reads(call, inside):
            if isinstance(call.operation, keras.Layer):
                yield call.path
            else:
                inside.add(index)
