"""The dense form of a model file, as another one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archspec.graph.decompile import Decompiled
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional_spec import fully_convolutional_spec, smallest_side
from archspec.runtime.dense.convert import copy_weights, graph_of
from archspec.runtime.models.build import build_model
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model


@dataclass(frozen=True)
class DenseModel:
    """A trained classifier, and what it becomes."""

    model: Any
    metadata: Metadata
    graph: Graph
    dense: Graph
    """Under the paths of the original."""
    page: Decompiled


def dense_form(source: str | Path, *, output: str = "scores") -> DenseModel:
    """Read a model file, or the best model of a run, and find its dense form; nothing is built.

    Raises ArchspecError: those of `load_model` and of `archspec.graph.rewrite.fully_convolutional.convolutionalize`.
    """
    model, metadata = load_model(source)
    graph = graph_of(model, metadata)
    dense, page = fully_convolutional_spec(graph, output=output, preprocess=metadata.preprocess, resize=metadata.resize)
    return DenseModel(model, metadata, graph, dense, page)


def write_dense(form: DenseModel, path: str | Path) -> Any:
    """Build the dense network, fill it, and write it with its page. Returns the model. Raises `cannot-write`."""
    built = build_model(form.page.graph)
    names = {
        form.page.graph.nodes[new].keras_name: form.dense.nodes[old].keras_name for old, new in form.page.nodes.items()
    }
    copy_weights(form.model, built, names)
    resize = smallest_side(form.graph, form.metadata.resize) if len(form.graph.input_shape) == 3 else None
    save_model(built, path, replace(form.metadata, spec=form.page.text, resize=resize))
    return built
