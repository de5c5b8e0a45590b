"""Weights of other files and models for a network: matched layer by layer, checked, and set all or none.

A layer is matched by its name in archspec's own files, by its place in the graph in models of Keras, and by order and
shape within its operator class in state dicts. Every file is read without running anything that it holds.
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
        graph: of the page; gives the order of layers where the model was loaded from a file.
        new_head: leave the classifier as it is where the one of the file has another number of classes.

    Returns what was matched with what: `Matching.describe` says it in a line.

    Raises ArchspecError: weights-mismatch with a table of what fits and what does not, weights-not-found,
        weights-unknown, not-weights, weights-unsafe, unknown-application, download. The model is then unchanged.
    """
    return load_into(model, str(source), graph, new_head=new_head)
