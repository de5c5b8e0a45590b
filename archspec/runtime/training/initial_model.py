"""The network at the start of training: on its devices, in its precision, with its initial weights."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.training.trainable import Trainable
from archspec.runtime.weights import load_weights
from archspec.runtime.weights.freeze import freeze
from archspec.runtime.weights.initial_weights import initialize, initialize_from

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def initial_model(
    network: Trainable,
    config: TrainConfig,
    strategy: tf.distribute.Strategy,
    note: Callable[[str], None],
    *,
    has_checkpoint: bool = False,
) -> keras.Model:
    """The network on its devices, in the precision of the recipe, with initial weights from the seed or from a file.

    Args:
        note: called with lines that say where the weights come from.
        has_checkpoint: whether a checkpoint will replace the weights, so that `config.init_from` is not read.

    Raises:
        ArchspecError: those of `load_weights` and `initialize_from`.
    """
    import keras

    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        import_tensorflow().config.experimental.enable_op_determinism()
    graph = network.graph()
    with _dtype_policy(config.recipe.dtype_policy), strategy.scope():
        model = network.build()
        initialize(model, graph, config.recipe.init)
    if config.init_from is not None and not has_checkpoint:
        if config.init_map:
            lines = initialize_from(model, graph, config.init_from, config.init_map).table()
        else:
            loaded = load_weights(model, config.init_from, graph=graph, new_head=True)
            lines = [loaded.describe(config.init_from)]
        for line in lines:
            note(line)
    freeze(model, graph, config.recipe.freeze)
    return model


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Layers that are made inside the context have this dtype policy (`keras.dtype_policies`)."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
