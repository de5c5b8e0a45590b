"""The layers with weights of a Keras model: as slots to fill, or as units to read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from archspec.graph.ir import Graph
from archspec.ops import OPS
from archspec.runtime.models.keras_graph import Call, KerasGraph
from archspec.runtime.weights.matching import Slot, Tensor, Unit

STATISTICS = "Normalization"
"""The Keras layer whose weights are statistics of the data; in a spec they are arguments of `normalize`."""


def kind_of(layer_class: str) -> str:
    """The kind of a layer's weights by its Keras class, in upper or lower case; `param` for other classes."""
    wanted = layer_class.lower()
    if wanted == "einsumdense":  # the filters of a convolution with `standardize`
        return "conv"
    return next((op.kind for op in OPS.values() if any(wanted == each.lower() for each in op.keras_layers)), "param")


def weighted(graph: KerasGraph) -> Iterator[tuple[int, Call]]:
    """The position and call of each layer with weights, in the order of the calls; shared layers once."""
    seen = set()
    for index, call in enumerate(graph.calls):
        if getattr(call.operation, "weights", None) and call.kind != STATISTICS and id(call.operation) not in seen:
            seen.add(id(call.operation))
            yield index, call


def model_units(graph: KerasGraph) -> dict[int, Unit]:
    """The units of a model by the position of their call."""
    return {
        index: Unit(kind_of(call.kind), call.path, tuple(_tensors(call.operation))) for index, call in weighted(graph)
    }


def model_slots(graph: KerasGraph) -> dict[int, Slot]:
    """The slots of a model by the position of their call."""
    return {
        index: Slot(kind_of(call.kind), call.path, tuple(call.operation.weights), _flattened(graph, call))
        for index, call in weighted(graph)
    }


def statistics(graph: KerasGraph) -> dict[str, tuple[Any, Any]]:
    """Mean and variance of the STATISTICS layers of a model, by their paths."""
    return {
        call.path: (_numbers(call.operation.mean), _numbers(call.operation.variance))
        for call in graph.calls
        if call.kind == STATISTICS and getattr(call.operation, "mean", None) is not None
    }


def _numbers(tensor: Any) -> Any:
    import numpy as np

    return np.asarray(tensor, "float32").reshape(-1)


def in_spec_order(slots: dict[int, Slot], keras: KerasGraph, graph: Graph | None) -> list[Slot]:
    """The slots in the order of the spec, which is also the order in which the layers were made.

    Without the static graph, the numbers that Keras gives to tensors tell the order: `keras_tensor_17`.
    """
    if graph is not None:
        places = {name: i for i, name in enumerate(name for node in graph.nodes for name in node.weighted_layers)}
        return sorted(slots.values(), key=lambda slot: places.get(slot.name, math.inf))
    return [slot for _, slot in sorted(slots.items(), key=lambda item: _made(keras.calls[item[0]]))]


def _made(call: Call) -> int:
    number = call.node.outputs[0].name.rpartition("_")[2]
    return int(number) if number.isdecimal() else -1


def _tensors(layer: Any) -> Iterator[Tensor]:
    """The weights of a layer; the kernel is the one that it computes with, which includes the product of LoRA."""
    for variable in layer.weights:
        if getattr(layer, "lora_enabled", False) and variable.name == "kernel":
            yield Tensor("kernel", tuple(layer.kernel.shape), lambda: _array(layer.kernel), str(variable.dtype))
        elif not variable.name.startswith("lora_"):
            yield _tensor(variable)


def _array(tensor: Any) -> Any:
    import keras

    return keras.ops.convert_to_numpy(tensor)


def _tensor(variable: Any) -> Tensor:
    return Tensor(variable.path.rpartition("/")[2], tuple(variable.shape), variable.numpy, str(variable.dtype))


TRANSPARENT = (
    *("Dropout", "Activation", "ReLU", "Identity", "LeakyReLU", "ELU"),
    *("AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"),
)


def _flattened(graph: KerasGraph, call: Call) -> tuple[int, ...] | None:
    """The shape of the feature map that was flattened before this layer, with only layers without weights between."""
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
