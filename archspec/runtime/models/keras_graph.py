"""A functional Keras model as a flat list of calls, nested models opened: its weights and its page are read from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.models.build import deep_recursion


@dataclass(frozen=True)
class Call:
    """One application of a Keras operation or layer."""

    operation: Any
    path: str
    """The name of the layer, after those of the models that it is nested in: `block/conv`."""
    inputs: tuple[tuple[int, int], ...]
    """(position of the call that is read, which of its outputs), in the order of the arguments."""
    node: Any
    """Keras's record of the call: its arguments."""
    shape: tuple[int | None, ...]
    """Of the first output, for one sample."""

    @property
    def kind(self) -> str:
        """The name of its class: `Conv2D`."""
        return type(self.operation).__name__


@dataclass(frozen=True)
class KerasGraph:
    """The calls in the order in which Keras runs them: by depth, each after what it reads."""

    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]


def keras_graph(model: Any) -> KerasGraph:
    """The flat graph of a functional or sequential model, without dead ends.

    Raises ArchspecError (not-functional) for a model whose graph Keras does not know: a subclass with its own `call`.
    """
    functional = _functional(model)
    if functional is None:
        message = f"the model `{model.name}` is a {type(model).__name__}, whose graph Keras does not know"
        remedy = "functional and sequential models that were built on an input can be read"
        raise fail("not-functional", message, help=remedy)
    calls: list[Call] = []
    inputs = []
    for tensor in functional.inputs:
        layer = tensor._keras_history.operation
        inputs.append(len(calls))
        calls.append(Call(layer, layer.name, (), layer._inbound_nodes[0], tuple(tensor.shape[1:])))
    with deep_recursion(len(functional.operations)):
        outputs = _trace(functional, [(index, 0) for index in inputs], "", calls.append, lambda: len(calls))
    return KerasGraph(tuple(calls), tuple(inputs), tuple(outputs))


def _trace(
    model: Any,
    sources: list[tuple[int, int]],
    prefix: str,
    add: Callable[[Call], None],
    position: Callable[[], int],
) -> list[tuple[int, int]]:
    """Run through the nodes of a functional model in Keras's own order. Returns where its outputs are."""
    places = {id(tensor): source for tensor, source in zip(model.inputs, sources, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if not node.operation or node.is_input:
                continue
            read = [places[id(tensor)] for tensor in node.input_tensors]
            path = prefix + node.operation.name
            inner = _functional(node.operation)
            if inner is not None:
                given = _trace(inner, read, f"{path}/", add, position)
            else:
                given = [(position(), number) for number in range(len(node.outputs))]
                add(Call(node.operation, path, tuple(read), node, tuple(node.outputs[0].shape[1:])))
            places.update((id(tensor), place) for tensor, place in zip(node.outputs, given, strict=True))
    return [places[id(tensor)] for tensor in model.outputs]


def _functional(operation: Any) -> Any:
    """The operation as a functional model, if it is one: a sequential model keeps one inside."""
    import keras

    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if isinstance(operation, keras.Model) and hasattr(operation, "_nodes_by_depth") else None
