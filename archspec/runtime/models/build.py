"""Graph -> one flat functional `keras.Model` whose layers carry the paths of the graph."""

from __future__ import annotations

import gc
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph, Node
from archspec.runtime.models.fast_initializers import call_with_one_pass
from archspec.runtime.system.tensorflow_import import import_tensorflow

FRAMES_A_LAYER = 12  # Keras walks a functional model recursively: what one layer of depth needs, generously


def build_model(graph: Graph) -> Any:
    """The `keras.Model`. Layer `a/b` of the graph is called `a.b`, helpers before it `a.b.pad`.

    Raises ArchspecError (build) when Keras refuses a layer that the static graph let pass.
    """
    import keras

    composed: dict[int, bool] = {}
    with deep_recursion(len(graph.nodes)), _without_collection():
        tensors = [keras.Input(shape=graph.input_shape, name="input")]
        for node in graph.layers:
            inputs = [tensors[i] for i in node.inputs]
            output = _apply(keras, node, inputs)
            # the facts of equal layers are one object, so that each kind of layer is looked into once
            if composed.get(id(node.facts), True):
                composed[id(node.facts)] = _name_functions(keras, node, inputs, output)
            tensors.append(output)
        outputs = [tensors[i] for i in graph.outputs]
        model = keras.Model(tensors[0], outputs[0] if len(outputs) == 1 else outputs, name=graph.name)
    if keras.backend.backend() == "tensorflow":
        from archspec.runtime.models.fast_grouped_conv import speed_up_grouped_convolutions
        from archspec.runtime.models.fast_wide_conv import speed_up_wide_windows

        speed_up_grouped_convolutions(model)
        speed_up_wide_windows(model)
    return model


def _apply(keras: Any, node: Node, inputs: list[Any]) -> Any:
    try:
        return call_with_one_pass(keras, node.op.build(keras, node.keras_name), inputs)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise fail("build", f"Keras refuses `{node.path}`: {reason}", node.span) from error


def _name_functions(keras: Any, node: Node, inputs: list[Any], output: Any) -> bool:
    """Name the functions of `keras.ops` that a layer is composed of: `norm1.exp`. Returns whether there are any.

    Keras names them by what the process has built before, which could be the name of a layer, and would make two
    files of one network differ.
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
    """The Keras operations from tensors to a tensor, the first ones first."""
    known, found = {id(tensor) for tensor in inputs}, []
    waiting = [output]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in known:
            known.add(id(tensor))
            operation = tensor._keras_history.operation  # Keras has no public word for what made a tensor
            found.append(operation)
            waiting += operation.input if isinstance(operation.input, list) else [operation.input]
    return found[::-1]


@contextmanager
def deep_recursion(layers: int) -> Iterator[None]:
    """Room on the stack for models of many layers: Keras builds, saves and loads them recursively."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1_000 + FRAMES_A_LAYER * layers))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


@contextmanager
def _without_collection() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: what is built stays, and to search it all takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def without_weights() -> Iterator[None]:
    """Models built inside declare their variables and allocate none; never predict with them.

    Keras keeps a list of such variables and allocates them all when any layer is built later, however large they are,
    so its session is cleared at the end. The dtype policy stays.
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
    """Fix what initial weights, dropout and NumPy draw from now on."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
