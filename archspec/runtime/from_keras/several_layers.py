"""Operators that archspec builds of several Keras layers: found in a model by building each of them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archspec.declare import freeze
from archspec.graph.compile.inference import WrongArgument, made
from archspec.ops import OPS, Op, OpError
from archspec.runtime.models.keras_graph import Call, KerasGraph, keras_graph

MOST = 1000
"""Most Keras layers and functions of one operator."""
WAYS = 16
"""How many of the layers before the last one may be what the operator reads."""

Built = dict[tuple[Op, tuple[Any, ...]], KerasGraph]
"""The graph of each operator that was built again, by its input shape."""


@dataclass(frozen=True)
class Several:
    """The calls that one operator consists of."""

    name: str
    args: Mapping[str, Any]
    source: int
    """The call whose output the operator reads."""
    calls: frozenset[int]
    """All of its calls, with the last one."""


def operators_of_several_layers(graph: KerasGraph) -> dict[int, Several]:
    """The last call of each operator that consists of several Keras layers, with the operator."""
    ends: dict[str, list[type[Op]]] = {}
    for op in OPS.values():
        for kind in op.last_layers:
            ends.setdefault(kind, []).append(op)
    readers: dict[int, set[int]] = {}
    for index, call in enumerate(graph.calls):
        for source, _ in call.inputs:
            readers.setdefault(source, set()).add(index)
    returned = {index for index, _ in graph.outputs}
    found: dict[int, Several] = {}
    built: Built = {}
    taken: set[int] = set()
    for index in range(len(graph.calls) - 1, -1, -1):
        call = graph.calls[index]
        if index in taken or call.kind not in ends or not _after_a_function(graph, call):
            continue
        for op in ends[call.kind]:
            several = _found(graph, index, op, built)
            inside = several.calls - {index} if several else frozenset()
            if several and not inside & returned and all(readers[each] <= several.calls for each in inside):
                found[index] = several
                taken |= several.calls
                break
    return found


def _after_a_function(graph: KerasGraph, call: Call) -> bool:
    """Whether it reads a function of `keras.ops`, as the last layer of such an operator does."""
    import keras

    return len(call.inputs) == 1 and not isinstance(graph.calls[call.inputs[0][0]].operation, keras.Layer)


def _found(graph: KerasGraph, last: int, op: type[Op], built: Built) -> Several | None:
    """The operator that ends in a call, with as many calls as possible."""
    found = None
    for source, between in _ways(graph, last):
        shape = tuple(graph.calls[source].shape)
        given = op.from_keras_layers([graph.calls[index].operation for index in (*between, last)], shape)
        if given is None:
            continue
        try:
            again = _built(made(op.name, {word: freeze(value) for word, value in given.items()}), shape, built)
        except (OpError, WrongArgument):
            continue
        calls = _equal(graph, last, source, again)
        found = Several(op.name, given, source, frozenset(calls)) if calls else found
    return found


def _ways(graph: KerasGraph, last: int) -> Iterator[tuple[int, list[int]]]:
    """Each call that all calls between it and the last one depend on, and these calls in order; the nearest first."""
    open_, between, ways = {source for source, _ in graph.calls[last].inputs}, list[int](), 0
    while open_ and len(between) <= MOST and ways < WAYS:
        latest = max(open_)
        if len(open_) == 1:
            ways += 1
            yield latest, between[::-1]
        open_.remove(latest)
        between.append(latest)
        open_ |= {source for source, _ in graph.calls[latest].inputs}


def _built(op: Op, shape: tuple[Any, ...], built: Built) -> KerasGraph:
    import keras

    if (op, shape) not in built:
        op.shape(shape)
        inputs = keras.Input(shape)
        built[op, shape] = keras_graph(keras.Model(inputs, op.build(keras, "again")(inputs)))
    return built[op, shape]


def _equal(graph: KerasGraph, last: int, source: int, again: KerasGraph) -> set[int]:
    """The calls from the source to the last one if they compute what the graph `again` does; else none."""
    place: dict[int, int] = {}
    waiting = [(again.outputs[0][0], last)]
    while waiting:
        new, old = waiting.pop()
        if new in place:
            if place[new] != old:
                return set()
            continue
        place[new] = old
        if new in again.inputs:
            if old != source:
                return set()
            continue
        one, other = again.calls[new], graph.calls[old]
        if one.kind != other.kind or _outputs(one) != _outputs(other) or _facts(one) != _facts(other):
            return set()
        waiting += [(a, b) for (a, _), (b, _) in zip(one.inputs, other.inputs, strict=True)]
    return set(place.values()) - {source}


def _outputs(call: Call) -> list[int]:
    """Which outputs of other calls it reads."""
    return [output for _, output in call.inputs]


TRAINING = ("initializer", "regularizer", "constraint")


def _facts(call: Call) -> Any:
    """What a call computes: the configuration of its layer, without names and training, and its other arguments."""
    config = {
        key: value
        for key, value in call.operation.get_config().items()
        if key not in ("name", "dtype", "trainable") and not key.endswith(TRAINING)
    }
    arguments = call.node.arguments
    return _plain([config, arguments.args, arguments.kwargs])


def _plain(value: Any) -> Any:
    """Comparable: layers read are one word, arrays their numbers."""
    import keras
    import numpy as np

    if isinstance(value, keras.KerasTensor):
        return "layer"
    if isinstance(value, Mapping):
        return tuple(sorted((key, _plain(each)) for key, each in value.items()))
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(map(_plain, value))
    if hasattr(value, "shape"):
        array = np.asarray(value)
        return array.item() if array.ndim == 0 else (array.shape, array.astype("float64").tobytes())
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
