"""Weights of files and of other models: matched layer by layer, checked, then all set at once.

Layers are matched by name in files of archspec, by graph in Keras models, and by order and shape in state dicts. No
code in a file is run. It may import graph, lang, system and models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from archspec.graph.ir import Graph
from archspec.runtime.weights.load import load_into
from archspec.runtime.weights.match import Matching

__all__ = ["Matching", "load_weights"]


def load_weights(model: Any, source: str | Path, *, graph: Graph | None = None, new_head: bool = False) -> Matching:
    """Set the weights of a keras.Model from a file, or from `keras:imagenet` and `keras:NAME`.

    Args:
        model: of `archspec.build`, or any functional Keras model.
        source: .keras, .weights.h5, .h5, .pth, .pt, .bin or .safetensors; `keras:NAME` downloads.
        graph: of the spec; gives the order of the layers when the model was loaded from a file.
        new_head: keep the classifier of the model if the file has another number of classes.

    Returns how the layers were matched; `Matching.describe` summarizes it in one line. Raises ArchspecError:
        weights-mismatch with a table of the layers that match and those that do not, weights-not-found,
        weights-unknown, not-weights, weights-unsafe, unknown-application, download. The model is unchanged on errors.
    """
    return load_into(model, str(source), graph, new_head=new_head)
