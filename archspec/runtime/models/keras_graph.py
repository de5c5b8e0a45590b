"""A functional Keras model as a flat list of calls, with nested models expanded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import unused_name
from archspec.runtime.models.build import deep_recursion


@dataclass(frozen=True)
class Call:
    """One application of a Keras operation or layer."""

    operation: Any
    path: str
    """The name of the layer, prefixed by the names of the models that it is nested in: `block/conv`."""
    inputs: tuple[tuple[int, int], ...]
    """(index of the call, index of its output) for each argument."""
    node: Any
    """Keras's node of the call, which has its arguments."""
    shape: tuple[int | None, ...]
    """Shape of the first output, without the batch axis."""

    @property
    def kind(self) -> str:
        """The name of its class: `Conv2D`."""
        return type(self.operation).__name__


@dataclass(frozen=True)
class KerasGraph:
    """The calls in the order in which Keras runs them, each after its inputs."""

    calls: tuple[Call, ...]
    inputs: tuple[int, ...]
    outputs: tuple[tuple[int, int], ...]


def keras_graph(model: Any) -> KerasGraph:
    """The flat graph of a functional or sequential model, without layers that no output depends on.

    Raises:
        ArchspecError: `not-functional` for a subclass of keras.Model with its own `call`.
    """
    functional = _functional(model)
    if functional is None:
        raise _without_graph(model)
    calls: list[Call] = []
    inputs = []
    for tensor in functional.inputs:
        layer = tensor._keras_history.operation
        inputs.append(len(calls))
        calls.append(Call(layer, layer.name, (), layer._inbound_nodes[0], tuple(tensor.shape[1:])))
    with deep_recursion(len(functional.operations)):
        outputs = _trace(functional, [(index, 0) for index in inputs], "", calls.append, lambda: len(calls))
    return KerasGraph(tuple(calls), tuple(inputs), tuple(outputs))


def given_name(model: Any) -> str:
    """The name that the model was given; empty where Keras made it: `functional_5` depends on the models before."""
    return "" if re.fullmatch(r"(functional|sequential|model)(_\d+)?", model.name) else model.name


def output_names(model: Any) -> tuple[str, ...]:
    """The names of the outputs of a Keras model that returns a dictionary, as a spec can have them; else ()."""
    given = getattr(model, "output", None)  # a Sequential model has none before it is called
    if not isinstance(given, Mapping) or not all(hasattr(each, "shape") for each in given.values()):
        return ()
    keys = [str(key) for key in sorted(given)]  # in the order of model.outputs
    words = [re.sub(r"[^A-Za-z0-9_-]+", "_", key).strip("_-") or "output" for key in keys]
    taken = {key for key, word in zip(keys, words, strict=True) if key == word}
    found: list[str] = []
    for key, word in zip(keys, words, strict=True):
        found.append(word if key == word else unused_name(word, taken))
        taken.add(found[-1])
    return tuple(found)


def _trace(
    model: Any,
    sources: list[tuple[int, int]],
    prefix: str,
    add: Callable[[Call], None],
    position: Callable[[], int],
) -> list[tuple[int, int]]:
    """Add the calls of a functional model in Keras's order. Returns the (call, output) indices of its outputs."""
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
                add(Call(_of_each_step(node.operation), path, tuple(read), node, tuple(node.outputs[0].shape[1:])))
            places.update((id(tensor), place) for tensor, place in zip(node.outputs, given, strict=True))
    return [places[id(tensor)] for tensor in model.outputs]


def _of_each_step(operation: Any) -> Any:
    """The `Dense` inside `TimeDistributed`, which computes the same without it; else the operation itself."""
    import keras

    layer = getattr(operation, "layer", None)
    return layer if type(operation) is keras.layers.TimeDistributed and type(layer) is keras.layers.Dense else operation


def _without_graph(model: Any) -> Exception:
    import keras

    if has_own_call(model):
        fact = (
            f"the model `{model.name}` has its own method `call` (class {type(model).__name__}), and no graph of layers"
        )
        help = "make a functional model of it: `x = keras.Input(SHAPE)`, then `keras.Model(x, model.call(x))`"
    elif isinstance(model, keras.Sequential) and not model.layers:
        fact, help = f"the model `{model.name}` has no layers", "add a layer"
    else:
        fact = f"the layers of the model `{model.name}` have no shapes yet"
        help = "add `keras.Input(SHAPE)` before its first layer; SHAPE is that of one sample"
    return fail("not-functional", fact, help=help)


def has_own_call(operation: Any) -> bool:
    """Whether it is a model whose class has a `call` that is not Keras's: what it computes is known only to Python."""
    import keras

    owner = next(each for each in type(operation).__mro__ if "call" in vars(each))
    return isinstance(operation, keras.Model) and owner.__module__.partition(".")[0] != "keras"


def _functional(operation: Any) -> Any:
    """The operation as a functional model if it is one, or contains one as a sequential model does; else None."""
    import keras

    if has_own_call(operation):
        return None
    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if isinstance(operation, keras.Model) and hasattr(operation, "_nodes_by_depth") else None
