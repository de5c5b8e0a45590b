"""Build a graph as one flat functional `keras.Model`, whose layers have the paths of the graph."""

from __future__ import annotations

import gc
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph, Node
from archspec.runtime.models.fast.initializers import call_with_one_pass
from archspec.runtime.models.shared_layers import call_shared
from archspec.runtime.system.processor import choose_onednn
from archspec.runtime.system.tensorflow_import import import_tensorflow

FRAMES_PER_LAYER = 12
"""Stack frames for one layer of depth, generously: Keras walks a functional model recursively."""


def build_model(graph: Graph) -> Any:
    """The `keras.Model` of a graph. Layer `a/b` of the graph is named `a.b`, and helpers before it `a.b.pad`.

    Raises:
        ArchspecError: `build` where Keras rejects a layer that the static graph accepts.
    """
    choose_onednn()
    import keras

    composed: dict[int, bool] = {}
    made: dict[str, Any] = {}  # the layers whose weights other layers use
    owners = {node.shared for node in graph.layers} - {None}
    with deep_recursion(len(graph.nodes)), _without_collection():
        tensors = [keras.Input(shape=node.shape, name=node.keras_name) for node in graph.inputs]
        for node in graph.layers:
            read = [tensors[i] for i in node.inputs]
            output = _apply(keras, node, read, made)
            if node.path in owners:
                between = (each for each in _between(read, output) if isinstance(each, keras.Layer))
                made.update({each.name: each for each in between})
            # equal layers share one object of facts, so each kind of layer is inspected once
            if composed.get(id(node.facts), True):
                composed[id(node.facts)] = _name_functions(keras, node, read, output)
            tensors.append(output)
        outputs = [tensors[i] for i in graph.outputs]
        inputs = tensors[0] if graph.input_count == 1 else tensors[: graph.input_count]
        model = keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs, name=graph.name)
    if keras.backend.backend() == "tensorflow":
        from archspec.runtime.models.fast.batch_norm import speed_up_batch_normalization
        from archspec.runtime.models.fast.grouped_conv import speed_up_grouped_convolutions
        from archspec.runtime.models.fast.wide_conv import speed_up_wide_windows

        speed_up_batch_normalization(model)
        speed_up_grouped_convolutions(model)
        speed_up_wide_windows(model)
    return model


def _apply(keras: Any, node: Node, inputs: list[Any], made: Mapping[str, Any]) -> Any:
    try:
        if node.shared:
            return call_shared(keras, node, inputs, made)
        return call_with_one_pass(keras, node.op.build(keras, node.keras_name), inputs)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise fail("build", f"Keras rejects `{node.path}`: {reason}", node.span) from error


def _name_functions(keras: Any, node: Node, inputs: list[Any], output: Any) -> bool:
    """Name the functions of `keras.ops` that a layer is composed of, `norm1.exp`. Returns whether there are any.

    Keras numbers them over the whole process. Such a name could equal that of a layer, and two files of the same
    network would differ.
    """
    functions = [each for each in _between(inputs, output) if not isinstance(each, keras.Layer)]
    taken: Counter[str] = Counter()
    for function in functions:
        word = re.sub(r"_\d+$", "", function.name)
        taken[word] += 1
        number = f"_{taken[word]}" if taken[word] > 1 else ""
        function.name = f"{node.keras_name}.{word}{number}"
    return bool(functions)


def _between(inputs: list[Any], output: Any) -> list[Any]:
    """The Keras operations that compute a tensor from others, in order."""
    known, found = {id(tensor) for tensor in inputs}, []
    waiting = [output]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in known:
            known.add(id(tensor))
            operation = tensor._keras_history.operation  # Keras has no public name for it
            found.append(operation)
            waiting += operation.input if isinstance(operation.input, list) else [operation.input]
    return found[::-1]


@contextmanager
def deep_recursion(layers: int) -> Iterator[None]:
    """Raise the recursion limit for models of many layers, which Keras builds, saves and loads recursively."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1_000 + FRAMES_PER_LAYER * layers))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Disable the cyclic garbage collector, which would take a fifth of the time and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def without_weights() -> Iterator[None]:
    """Models built inside have variables without memory, and must not be called.

    Keras would allocate these variables when another layer is built later, so its session is cleared at the end. The
    dtype policy is kept.
    """
    import keras

    policy = keras.config.dtype_policy()
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.utils.clear_session()
        keras.config.set_dtype_policy(policy)


def seed_everything(seed: int) -> None:
    """Seed the random numbers of initial weights, dropout and NumPy."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
