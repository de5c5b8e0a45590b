"""Convert a model file to the file of its fully convolutional network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archspec.graph.decompile import Decompiled
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import fully_convolutional_spec, smallest_side
from archspec.runtime.dense.convert import copy_weights, graph_of
from archspec.runtime.models.build import build_model
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model


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
