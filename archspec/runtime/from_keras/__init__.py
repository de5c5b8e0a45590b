"""Keras model -> spec: `archspec from-keras`.

Each layer becomes the operator that builds it, and the graph becomes a spec of the same network. The weights of the
model fit one to one. It may import graph, models and weights.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail, listed
from archspec.graph.decompile import decompile
from archspec.runtime.from_keras.model import left_out, read_model
from archspec.runtime.models.keras_graph import given_name
from archspec.runtime.models.model_file import load_model
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.weights.applications import architecture

__all__ = ["spec_of", "spec_of_source"]

LEFT_OUT = "Left out, without effect at inference"
"""The beginning of the comment that names the layers and settings that a spec does not have."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")


def spec_of(model: Any, *, name: str | None = None, source: str | None = None) -> str:
    """The spec of a functional keras.Model, as text.

    Args:
        model: of layers and functions of the table in docs/keras.md.
        name: of the spec; by default the name of the model, `model` where it was given none.
        source: the comment on its first line.

    Raises ArchspecError: not-functional, unknown-keras-layer, bad-name.
    """
    if name is not None and not NAME.match(name):
        raise fail("bad-name", f"`{name}` cannot be the name of a spec", help="use letters, digits, `_` and `-`")
    graph = read_model(model)
    comment = source or f"Made by `archspec from-keras` from the model `{given_name(model) or 'model'}`."
    text = decompile(graph, name or graph.name, comment).text
    dropped = left_out(model)
    if not dropped:
        return text
    first, _, rest = text.partition("\n")
    return f"{first}\n# {LEFT_OUT}: {listed(dropped, 12)}\n{rest}"


def spec_of_source(source: str, *, name: str | None = None) -> str:
    """The spec of a file of a Keras model (`.keras`, `.h5`), or of `keras:NAME`, a function of keras.applications.

    A file that archspec wrote contains its spec, which is returned unchanged unless `name` is given.

    Raises ArchspecError: those of `spec_of`, and model-not-found, not-a-model, model-unsafe, unknown-application.
    """
    if source.startswith("keras:"):
        import_tensorflow()
        function, model = architecture(source.removeprefix("keras:"))
        return spec_of(model, name=name, source=f"keras.applications.{function}, by `archspec from-keras {source}`.")
    path = Path(source)
    model, metadata = load_model(path)
    if metadata.spec and name is None:
        return metadata.spec
    if name is None and not given_name(model):
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-") or None
    return spec_of(model, name=name, source=f"Made by `archspec from-keras {path.name}`.")
