"""Keras model -> static graph: every layer as the operator that builds it."""

from __future__ import annotations

import re
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import INPUT, Facts, Graph, Node
from archspec.ops import OPS
from archspec.runtime.from_keras import activations, maps, operations, values, weighted
from archspec.runtime.from_keras.reading import NOWHERE, READERS, NotReadable, Reading, unreadable
from archspec.runtime.from_keras.simplify import simplify
from archspec.runtime.models.keras_graph import Call, KerasGraph, keras_graph


def read_model(model: Any) -> Graph:
    """The graph of a functional Keras model; the paths of its nodes are the names of the layers.

    Raises ArchspecError: not-functional, several-inputs, shared-layer, unknown-keras-layer.
    """
    graph = keras_graph(model)
    _refuse(model, graph)
    shape = graph.calls[graph.inputs[0]].shape
    nodes = [Node("input", INPUT, (), Facts(shape, (), 0, 0, 0), NOWHERE)]
    place = {graph.inputs[0]: 0}
    for index, call in enumerate(graph.calls):
        if index not in place:
            place[index] = _read(call, tuple(_position(call, place, each) for each in call.inputs), nodes)
    outputs = tuple(place[index] for index, _ in graph.outputs)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", model.name).strip("-") or "model"
    return simplify(Graph(name, tuple(nodes), outputs, (1.0,) * len(outputs)))


def _refuse(model: Any, graph: KerasGraph) -> None:
    if len(graph.inputs) != 1:
        message = f"the model `{model.name}` has {len(graph.inputs)} inputs, and a page has one"
        raise fail("several-inputs", message, help="make a model of the part behind one of them")
    calls: dict[int, Call] = {}
    for call in graph.calls:
        first = calls.setdefault(id(call.operation), call)
        if first is not call and getattr(call.operation, "weights", None):
            message = f"the layer `{first.path}` is used more than once, and layers of a page share no weights"
            raise fail("shared-layer", message, help="give each use a layer of its own")


def _position(call: Call, place: dict[int, int], source: tuple[int, int]) -> int:
    index, output = source
    if output:
        raise unreadable(call, "it reads the second output of a layer, and those of a page have one")
    return place[index]


def _read(call: Call, inputs: tuple[int, ...], nodes: list[Node]) -> int:
    reading = Reading(call, inputs, nodes)
    try:
        if not inputs:
            raise NotReadable("it reads nothing")
        reader = READERS.get(call.kind)
        if call.kind == "Reshape" and not hasattr(call.operation, "target_shape"):
            reader = operations.reshape
        if reader is not None:
            return reader(reading)
        found = operations.activation(reading)
        return _of_plugins(reading) if found is None else found
    except NotReadable as error:
        raise unreadable(call, error.fact, error.help) from None


def _of_plugins(reading: Reading) -> int:
    """What an operator recognizes as its own layer, by `Op.from_keras`."""
    for head, op in OPS.items():
        args = op.from_keras(reading.layer)
        if args is not None:
            return reading.add(head, **args)
    raise NotReadable("no operator stands for this class")


MODULES = (activations, maps, operations, values, weighted)
"""Where the readers of Keras's own layers are declared."""
