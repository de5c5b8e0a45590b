"""Fully convolutional (dense) networks of trained classifiers: the same weights, for images of any size."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archspec.diagnostics import Source, fail
from archspec.graph.compile.compiler import compile_spec
from archspec.graph.decompile import Decompiled
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph
from archspec.graph.rewrite.fully_convolutional import fully_convolutional_spec, smallest_side
from archspec.lang.spec.spec import parse
from archspec.runtime.from_keras.model import read_model
from archspec.runtime.models.build import build_model
from archspec.runtime.models.keras_graph import keras_graph
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model


def convolutionalize(model: Any, *, graph: Graph | None = None, output: str = "scores") -> Any:
    """The dense keras.Model of a classifier, with its weights: (B, H, W, C) -> scores at every position.

    Args:
        model: a functional Keras model whose layers docs/operators.md lists.
        graph: the graph that `model` was built from; by default it is read from the model.
        output: one of `archspec.graph.rewrite.fully_convolutional.OUTPUTS`. `scores` is (B, H', W', classes) after the
            softmax at each position, `logits` before it; `softmax_of_mean` is (B, classes), the softmax of the mean of
            the score map (Simonyan & Zisserman 2014, section 3.2).

    Returns:
        A new model, which shares no variables with the old one.

    Raises:
        ArchspecError: those of `archspec.graph.rewrite.fully_convolutional.convolutionalize`, and of `read_model`
            without a graph.
    """
    graph = graph or graph_of(model)
    dense = build_model(dense_graph(graph, output=output))
    copy_weights(model, dense)
    return dense


def graph_of(model: Any, metadata: Metadata | None = None) -> Graph:
    """The static graph of a model: of the spec in its metadata if it has one, else read from its layers.

    Its nodes have the names of the model's layers.
    """
    if metadata is not None and metadata.spec is not None:
        graph = compile_spec(parse(Source("archspec.json", metadata.spec)))
        names = {layer.name for layer in model.layers}
        if all(node.keras_name in names for node in graph.nodes):
            return graph
    return unique_names(read_model(model))


def unique_names(graph: Graph) -> Graph:
    """Give each node its own path. Of several nodes read from one Keras layer, the one with weights keeps the name."""
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
    """Copy the weights of each layer of `source` to the layer of `target` with the same name.

    The shapes may differ; the order of the numbers stays.

    Args:
        names: layer of `target` -> layer of `source`, where the names differ.
        leave: layers of `target` to skip.

    Raises:
        ArchspecError: `weights-mismatch` where a layer is missing, or its weights have another number of elements.
    """
    layers = {call.path.replace("/", "."): call.operation for call in keras_graph(source).calls}
    pairs = []
    for layer in target.layers:
        if not layer.weights or layer.name in leave:
            continue
        name = (names or {}).get(layer.name, layer.name)
        found = layers.get(name)
        weights = getattr(found, "weights", [])
        if _sizes(weights) != _sizes(layer.weights):
            message = f"the weights of the layer `{layer.name}` cannot be copied from `{source.name}`"
            here, there = (listed_shapes(each) for each in (layer.weights, weights))
            raise fail(
                "weights-mismatch",
                message,
                notes=[f"it needs {here}; " + (f"`{name}` there has {there}" if found else f"there is no `{name}`")],
            )
        pairs += list(zip(layer.weights, weights, strict=True))
    for variable, given in pairs:
        variable.assign(given.numpy().reshape(tuple(variable.shape)))


def listed_shapes(variables: Any) -> str:
    return " + ".join("x".join(map(str, variable.shape)) for variable in variables) or "nothing"


def _sizes(variables: Any) -> list[int]:
    return [math.prod(variable.shape) for variable in variables]


@dataclass(frozen=True)
class DenseModel:
    """A trained classifier, and its fully convolutional network before that is built."""

    model: Any
    metadata: Metadata
    graph: Graph
    dense: Graph
    """The dense graph, with the paths of the original."""
    spec: Decompiled
    """The spec of the dense graph."""


def dense_form(source: str | Path, *, output: str = "scores") -> DenseModel:
    """Read a model file, or the best model of a run, and derive its dense graph; no model is built.

    Raises:
        ArchspecError: those of `load_model` and of `archspec.graph.rewrite.fully_convolutional.convolutionalize`.
    """
    model, metadata = load_model(source)
    graph = graph_of(model, metadata)
    dense, spec = fully_convolutional_spec(graph, output=output, preprocess=metadata.preprocess, resize=metadata.resize)
    return DenseModel(model, metadata, graph, dense, spec)


def write_dense(form: DenseModel, path: str | Path) -> Any:
    """Build the dense network, copy the weights, and write it with its spec. Returns the keras.Model.

    Raises:
        ArchspecError: `cannot-write`.
    """
    built = build_model(form.spec.graph)
    names = {
        form.spec.graph.nodes[new].keras_name: form.dense.nodes[old].keras_name for old, new in form.spec.nodes.items()
    }
    copy_weights(form.model, built, names)
    resize = smallest_side(form.graph, form.metadata.resize) if len(form.graph.input_shape) == 3 else None
    save_model(built, path, replace(form.metadata, spec=form.spec.text, resize=resize))
    return built
