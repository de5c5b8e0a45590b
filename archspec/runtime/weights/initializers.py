"""Set the weights of a new model to what the rules of `init:` say."""

from __future__ import annotations

import random
import zlib
from typing import Any

from archspec.diagnostics import fail
from archspec.graph.ir import Graph
from archspec.graph.select.initializer_targets import initializers
from archspec.lang.recipes.initializers import Initializer, Rule
from archspec.runtime.models.keras_class import keras_class


def initialize(model: Any, graph: Graph, rules: tuple[Rule, ...], seed: int | None = None) -> None:
    """Draw the weights that the rules speak of; the others stay as they are.

    What a weight draws depends on the seed, its path and its name alone, so that another layer changes nothing. Without
    a seed it is drawn from Python's `random`, as Keras does: `keras.utils.set_random_seed` fixes it.

    Raises ArchspecError: those of `archspec.graph.select.initializer_targets.initializers`; `initializer` for one that
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
            message = f"`{initializer.name}` cannot fill `{path}`, whose weight is {shape}"
            note = str(error).strip().split("\n")[0]
            raise fail("initializer", message, notes=[f"Keras says: {note}"], help="another initializer") from error


def made(keras: Any, initializer: Initializer, seed: int) -> Any:
    """The initializer of Keras's; those that draw nothing take no seed."""
    kind = keras_class(keras.initializers, initializer.name)
    given = initializer.keras_arguments()
    fixed = initializer.name in ("zeros", "ones", "constant", "identity")
    return kind(**given) if fixed else kind(**given, seed=seed)
