"""The network as training finds it: on its devices, in its precision, with the weights that it starts from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.training.trainable import Trainable
from archspec.runtime.weights import load_weights
from archspec.runtime.weights.freeze import freeze
from archspec.runtime.weights.initializers import initialize
from archspec.runtime.weights.transfer import initialize_from


def starting_model(
    network: Trainable, job: TrainConfig, strategy: Any, note: Callable[[str], None], *, goes_on: bool = False
) -> Any:
    """The network on its devices, in the precision of the recipe, with the initial weights of the seed or of a file.

    Args:
        note: told where the weights come from.
        goes_on: a checkpoint will replace the weights, so that none are read from `job.init_from`.

    Raises:
        ArchspecError: of the weights, as `load_weights` and `initialize_from` say.
    """
    import keras

    keras.utils.set_random_seed(job.seed)
    if job.deterministic:
        import_tensorflow().config.experimental.enable_op_determinism()
    with _precision(job.recipe.dtype_policy), strategy.scope():
        model = network.build()
        initialize(model, network.graph(), job.recipe.init)
    if job.init_from is not None and not goes_on:
        for line in _start_from(model, network, job.init_from, job.init_map):
            note(line)
    freeze(model, network.graph(), job.recipe.freeze)
    return model


def _start_from(model: Any, network: Trainable, source: str, maps: Sequence[str]) -> Sequence[str]:
    """Set the weights that training starts from: which they are, in lines."""
    if not maps:
        return [load_weights(model, source, graph=network.graph(), new_head=True).describe(source)]
    return initialize_from(model, network.graph(), source, maps).table()


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Layers that are made inside compute in that precision (`keras.dtype_policies`)."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
