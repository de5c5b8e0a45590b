"""Load a SavedModel: a function for each signature."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any


def load(folder: str, threads: int = 0) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """The signatures of the SavedModel in a folder, each a function from an array (B, ...) to its named outputs.

    A function of several inputs takes an array (B,) with a field for each.

    Args:
        folder: the version folder, which contains `saved_model.pb`.
        threads: of TensorFlow, if it has not started yet; 0 for its default.
    """
    import tensorflow as tf

    if threads:
        with contextlib.suppress(RuntimeError):  # TensorFlow has started already
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    saved = tf.saved_model.load(folder)

    def function(name: str) -> Callable[[Any], dict[str, Any]]:
        signature = saved.signatures[name]  # valid as long as `saved` is

        names = list(signature.structured_input_signature[1])

        def call(inputs: Any) -> dict[str, Any]:
            given = {name: inputs[name] for name in inputs.dtype.names} if inputs.dtype.names else {names[0]: inputs}
            found = signature(**{name: tf.constant(each) for name, each in given.items()})
            return {key: value.numpy() for key, value in found.items()}

        return call

    return {name: function(name) for name in saved.signatures}
