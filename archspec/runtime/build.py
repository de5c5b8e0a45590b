"""Graph -> one flat functional `keras.Model` whose layers carry the paths of the graph."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph, Node

FRAMES_A_LAYER = 12  # Keras walks a functional model recursively: what one layer of depth needs, generously


def build_model(graph: Graph) -> Any:
    """The `keras.Model`. Layer `a/b` of the graph is called `a.b`, helpers before it `a.b.pad`.

    Raises ArchspecError (build) when Keras refuses a layer that the static graph let pass.
    """
    import keras

    with deep_recursion(len(graph.nodes)):
        tensors = [keras.Input(shape=graph.input_shape, name="input")]
        for node in graph.layers:
            tensors.append(_apply(keras, node, [tensors[i] for i in node.inputs]))
        outputs = [tensors[i] for i in graph.outputs]
        model = keras.Model(tensors[0], outputs[0] if len(outputs) == 1 else outputs, name=graph.name)
    if keras.backend.backend() == "tensorflow":
        from archspec.runtime.grouped import speed_up_grouped_convolutions

        speed_up_grouped_convolutions(model)
    return model


def _apply(keras: Any, node: Node, inputs: list[Any]) -> Any:
    try:
        return node.op.build(keras, node.keras_name)(*inputs)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise fail("build", f"Keras refuses `{node.path}`: {reason}", node.span) from error


@contextmanager
def deep_recursion(layers: int) -> Iterator[None]:
    """Room on the stack for models of many layers: Keras builds, saves and loads them recursively."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 1_000 + FRAMES_A_LAYER * layers))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
