"""Dense networks of trained classifiers: the same weights, in layers that slide over images of any size."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from archspec.diagnostics import Source, fail
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph
from archspec.lang.spec.spec import parse
from archspec.runtime.from_keras.model import read_model
from archspec.runtime.models.build import build_model
from archspec.runtime.models.keras_graph import keras_graph
from archspec.runtime.models.metadata import Metadata


def convolutionalize(model: Any, *, graph: Graph | None = None, output: str = "scores") -> Any:
    """The dense keras.Model of a classifier, with its weights: (None, None, None, C) -> scores at every position.

    Args:
        model: of `archspec.build`, of a file, or any functional Keras model whose layers docs/operators.md lists.
        graph: of the page that `model` was built from; else it is read from the model.
        output: one of `archspec.graph.rewrite.fully_convolutional.OUTPUTS`. `scores` is (batch, H', W', classes)
            after the softmax
            of each position, `logits` before it; `softmax_of_mean` (batch, classes) is what Simonyan & Zisserman,
            section 3.2, average over the image.

    The new model shares nothing with the old one. Raises ArchspecError: those of
    `archspec.graph.rewrite.fully_convolutional.convolutionalize`, and of `read_model` without a graph.
    """
    graph = graph or graph_of(model)
    dense = build_model(dense_graph(graph, output=output))
    copy_weights(model, dense)
    return dense


def graph_of(model: Any, metadata: Metadata | None = None) -> Graph:
    """The static graph of a model: of its page where the file has one, else read from its layers.

    The names of the nodes are those of the model's layers.
    """
    if metadata is not None and metadata.spec is not None:
        graph = compile_spec(parse(Source("archspec.json", metadata.spec)))
        names = {layer.name for layer in model.layers}
        if all(node.keras_name in names for node in graph.nodes):
            return graph
    return unique_names(read_model(model))


def unique_names(graph: Graph) -> Graph:
    """A path for each node: of the nodes that one Keras layer was read into, that with weights keeps its name."""
    owners = {node.path: index for index, node in enumerate(graph.nodes)}
    owners.update({node.path: index for index, node in enumerate(graph.nodes) if node.facts.weights})
    taken = set(owners)
    nodes = []
    for index, node in enumerate(graph.nodes):
        if owners[node.path] != index:
            word = f"{node.path}.{node.op.name}"
            path = next(each for each in (word, *(f"{word}_{i}" for i in range(2, 9999))) if each not in taken)
            taken.add(path)
            node = node._replace(path=path)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def copy_weights(
    source: Any, target: Any, names: Mapping[str, str] | None = None, *, leave: Collection[str] = ()
) -> None:
    """Fill every layer of `target` with the numbers of the layer of `source` of that name, in their order.

    Args:
        names: from the layers of `target` to those of `source`, where they differ.
        leave: layers of `target` that stay as they are.

    Raises ArchspecError (weights-mismatch) where a layer is missing or has another count of numbers.
    """
    layers = {call.path.replace("/", "."): call.operation for call in keras_graph(source).calls}
    pairs = []
    for layer in target.layers:
        if not layer.weights or layer.name in leave:
            continue
        name = (names or {}).get(layer.name, layer.name)
        found = layers.get(name)
        weights = getattr(found, "weights", [])
        sizes = [_size(variable) for variable in weights]
        if sizes != [_size(variable) for variable in layer.weights]:
            message = f"the layer `{layer.name}` cannot be filled from `{source.name}`"
            here, there = (listed_shapes(each) for each in (layer.weights, weights))
            note = f"it needs {here}; " + (f"`{name}` there has {there}" if found else f"there is no `{name}`")
            raise fail("weights-mismatch", message, notes=[note])
        pairs += list(zip(layer.weights, weights, strict=True))
    for variable, given in pairs:
        variable.assign(given.numpy().reshape(tuple(variable.shape)))


def listed_shapes(variables: Any) -> str:
    return " + ".join("x".join(map(str, variable.shape)) for variable in variables) or "nothing"


def _size(variable: Any) -> int:
    return math.prod(variable.shape)
