"""Initializes the weights of a new model by the rules of `init:`."""

from __future__ import annotations

import random
import zlib
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph
from archspec.graph.select import initializers
from archspec.lang.recipes.initializers import Initializer, Rule
from archspec.runtime.models.keras_class import keras_class


def initialize(model: Any, graph: Graph, rules: tuple[Rule, ...], seed: int | None = None) -> None:
    """Draw the weights that the rules name; other weights are unchanged.

    The values depend on the seed, the path and the name of the weight alone, not on other layers. Without a seed one is
    drawn from Python's `random`, which `keras.utils.set_random_seed` seeds.

    Raises ArchspecError: those of `archspec.graph.select.initializers`; `initializer` for one that
    Keras cannot
    draw in the shape of the weight.
    """
    import keras

    if not rules:
        return
    base = random.randint(0, 2**31 - 1) if seed is None else seed
    for (path, index), initializer in initializers(graph, rules).items():
        variable = [each for name in graph[path].weighted_layers for each in model.get_layer(name).weights][index]
        word = f"{base}/{path}/{graph[path].facts.weights[index].name}"
        drawn = made(keras, initializer, zlib.crc32(word.encode()) >> 1)
        try:
            variable.assign(drawn(variable.shape, dtype=variable.dtype))
        except ValueError as error:
            shape = "x".join(map(str, variable.shape))
            message = f"`{initializer.name}` does not support the shape {shape} of the weight of `{path}`"
            note = str(error).strip().split("\n")[0]
            raise fail("initializer", message, notes=[f"Keras says: {note}"], help="use another initializer") from error


def made(keras: Any, initializer: Initializer, seed: int) -> Any:
    """The Keras initializer; constant ones take no seed."""
    kind = keras_class(keras.initializers, initializer.name)
    given = initializer.keras_arguments()
    fixed = initializer.name in ("zeros", "ones", "constant", "identity")
    return kind(**given) if fixed else kind(**given, seed=seed)
