"""The layers of a Keras model that have weights: as slots to fill, or as units to read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from archspec.graph.ir import Graph
from archspec.ops import OPS
from archspec.runtime.models.keras_graph import Call, KerasGraph
from archspec.runtime.weights.unit import Slot, Tensor, Unit

STATISTICS = "Normalization"
"""Keras's layer whose weights are the statistics of its data: in a page they are arguments of `normalize`."""


def kind_of(layer_class: str) -> str:
    """The kind of unit that a Keras class has, its name in any case; `param` for weights of its own sort."""
    wanted = layer_class.lower()
    return next((op.kind for op in OPS.values() if any(wanted == each.lower() for each in op.keras_layers)), "param")


def weighted(graph: KerasGraph) -> Iterator[tuple[int, Call]]:
    """The position and call of each layer with weights, once each, in the order of the calls."""
    seen = set()
    for index, call in enumerate(graph.calls):
        if getattr(call.operation, "weights", None) and call.kind != STATISTICS and id(call.operation) not in seen:
            seen.add(id(call.operation))
            yield index, call


def model_units(graph: KerasGraph) -> dict[int, Unit]:
    """The units of a model by the position of their call."""
    return {
        index: Unit(kind_of(call.kind), call.path, tuple(map(_tensor, call.operation.weights)))
        for index, call in weighted(graph)
    }


def model_slots(graph: KerasGraph) -> dict[int, Slot]:
    """The slots of a model by the position of their call."""
    return {
        index: Slot(kind_of(call.kind), call.path, tuple(call.operation.weights), _flattened(graph, call))
        for index, call in weighted(graph)
    }


def in_spec_order(slots: dict[int, Slot], keras: KerasGraph, graph: Graph | None) -> list[Slot]:
    """The slots in the order of the spec, which is also the order in which the layers were made.

    Without the static graph Keras's numbers of the tensors tell: `keras_tensor_17`.
    """
    if graph is not None:
        places = {name: index for index, node in enumerate(graph.nodes) for name in node.weighted_layers}
        return sorted(slots.values(), key=lambda slot: places.get(slot.name, math.inf))
    return [slot for _, slot in sorted(slots.items(), key=lambda item: _made(keras.calls[item[0]]))]


def _made(call: Call) -> int:
    number = call.node.outputs[0].name.rpartition("_")[2]
    return int(number) if number.isdecimal() else -1


def _tensor(variable: Any) -> Tensor:
    return Tensor(variable.path.rpartition("/")[2], tuple(variable.shape), variable.numpy)


TRANSPARENT = ("Dropout", "Activation", "ReLU", "Identity", "GaussianDropout", "LeakyReLU")


def _flattened(graph: KerasGraph, call: Call) -> tuple[int, ...] | None:
    """The shape of the map that was flattened before this layer, through layers without weights."""
    if call.kind not in ("Dense", "BatchNormalization"):
        return None
    while len(call.inputs) == 1:
        before = graph.calls[call.inputs[0][0]]
        if before.kind in ("Flatten", "Reshape") and len(before.shape) == 1:
            shape = tuple(size or 0 for size in graph.calls[before.inputs[0][0]].shape)
            return shape if len(shape) > 1 and math.prod(shape[:-1]) > 1 else None
        if before.kind not in (*TRANSPARENT, "BatchNormalization"):
            return None
        call = before
    return None
