"""Keras layers of operators that plugins and scripts declare: whether they can be saved and loaded again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archspec.diagnostics import ArchspecError, Source, fail, listed
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model

if TYPE_CHECKING:
    import keras

HELP = (
    "decorate the class with `@keras.saving.register_keras_serializable()`, let `get_config` return its arguments, "
    "and create its weights in `build`"
)


def check_loadable(model: keras.Model, metadata: Metadata) -> None:
    """Save and load a model once, before it is trained, if it has layers that are not Keras's own.

    Raises:
        ArchspecError: `custom-layer`.
    """
    classes = {type(layer) for layer in model.layers if not type(layer).__module__.startswith("keras.")}
    if not classes:
        return
    names = listed(sorted(f"`{each.__module__}.{each.__qualname__}`" for each in classes))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            save_model(model, path, metadata)
            loaded, _ = load_model(path)
        except Exception as error:  # whatever the code of a layer raises
            raise fail(
                "custom-layer",
                f"a model with {names} cannot be loaded again",
                notes=error.diagnostics[0].notes[:1] if isinstance(error, ArchspecError) else (str(error)[:300],),
                help=HELP,
            ) from error
    pairs = list(zip(model.get_weights(), loaded.get_weights(), strict=False))
    if len(model.weights) != len(loaded.weights) or not all(np.array_equal(*pair, equal_nan=True) for pair in pairs):
        raise fail("custom-layer", f"a model with {names} has other weights when it is loaded again", help=HELP)


def register_layers(metadata: Metadata) -> None:
    """Import the layers of the spec's operators, so that Keras knows their classes.

    A plugin module imports its layers when an operator is built. Without effect for models without a spec, and for
    operators that are not installed.
    """
    import keras

    if metadata.spec is None:
        return
    try:
        graph = compile_spec(parse(Source("archspec.json", metadata.spec)))
    except ArchspecError:
        return
    for op, name in {type(node.op): (node.op, node.keras_name) for node in graph.layers}.values():
        if not type(op).__module__.startswith("archspec."):
            op.build(keras, name)
