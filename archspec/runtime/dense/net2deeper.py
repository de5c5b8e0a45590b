"""A trained network made deeper by identity layers, which computes the same function, to train further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archspec.graph.ir import Graph
from archspec.graph.rewrite.net2deeper import deepen as deeper_graph
from archspec.runtime.dense.convert import copy_weights, graph_of
from archspec.runtime.models.build import build_model


def deepen(
    model: Any,
    after: Mapping[str, int] | Sequence[str],
    *,
    graph: Graph | None = None,
    kernel_size: int = 3,
    normalized: bool = False,
) -> Any:
    """The deeper keras.Model, whose outputs equal those of `model`; with `normalized`, up to rounding.

    Args:
        after, kernel_size, normalized: as `archspec.graph.rewrite.net2deeper.deepen` takes them.
        graph: the graph that `model` was built from; by default it is read from the model.

    In training, added batch normalization uses the moments of the batch, and is then not an identity.

    Raises:
        ArchspecError: those of `archspec.graph.rewrite.net2deeper.deepen`, and of `read_model` without a graph.
    """
    graph = graph or graph_of(model)
    deeper = deeper_graph(graph, after, kernel_size=kernel_size, normalized=normalized)
    built = build_model(deeper.graph)
    new = {deeper.graph[path].keras_name for path in deeper.identities}
    copy_weights(model, built, leave=new)
    for layer in map(built.get_layer, new):
        for variable in layer.weights:
            variable.assign(_identity(variable.name, tuple(variable.shape), getattr(layer, "epsilon", 0.0)))
    return built


def _identity(name: str, shape: tuple[int, ...], epsilon: float) -> Any:
    """The value of the weight of that name in an identity layer."""
    if name == "kernel":
        kernel = np.zeros(shape, np.float32)
        kernel[tuple(side // 2 for side in shape[:-2])] = np.eye(shape[-1], dtype=np.float32)
        return kernel
    # bias, beta and moving_mean are 0; the layer adds epsilon to the variance
    return np.full(shape, {"gamma": 1.0, "moving_variance": 1 - epsilon}.get(name, 0.0), np.float32)
