"""Finds the layer whose output became NaN or infinite."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.runtime.distributed.strategy import replicas_in_step
from archspec.runtime.training.records.checkpoint import capture, non_finite


def find_non_finite(strategy: Any, model: Any, x: Any) -> list[str]:
    """Check the weights, then the output of each layer for the batch x (b, *input) in training mode.

    With several workers each checks its part of the batch, and all get the same result.

    Args:
        x: None checks the weights only.

    Returns:
        Sentences that name the first weight or layer, in the order of the network, that is NaN or infinite.
    """
    import keras
    import tensorflow as tf

    names = non_finite(capture(model.variables))
    if names:
        return [f"`{names[0].replace('.', '/')}` was not finite before that step: the previous update was too large"]
    if x is None:
        return []
    layers = [layer for layer in model.layers if isinstance(layer.output, keras.KerasTensor)]
    replicas: int = strategy.num_replicas_in_sync
    probe = keras.Model(model.inputs, [layer.output for layer in layers])

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def check(x: Any) -> Any:
        def replica(x: Any) -> Any:
            outputs = [tf.cast(output, tf.float32) for output in probe(x, training=True)]
            finite = [tf.reduce_all(tf.math.is_finite(output)) for output in outputs]
            greatest = [tf.reduce_max(tf.abs(output)) for output in outputs]
            found = tf.stack([tf.cast(tf.stack(finite), tf.float32), tf.stack(greatest)])[None]
            # each worker has a part of the batch
            return tf.distribute.get_replica_context().all_gather(found, axis=0) if replicas > 1 else found

        with replicas_in_step(model, replicas):
            return strategy.run(replica, args=(x,))

    found = np.asarray(strategy.experimental_local_results(check(x))[0])
    finite, greatest = found[:, 0].min(axis=0) > 0, found[:, 1].max(axis=0)
    if finite.all():
        top = int(greatest.argmax())
        return [f"all layer outputs are finite; the largest is {greatest[top]:.2g}, of `{_path(layers[top])}`"]
    first = int(np.argmin(finite))
    if not first:
        return ["the images of that step contain NaN or infinite values"]
    before = int(greatest[:first].argmax())
    return [
        f"`{_path(layers[first])}` is the first layer whose output is not finite",
        f"the largest output of the layers before it is {greatest[before]:.2g}, of `{_path(layers[before])}`",
    ]


def _path(layer: Any) -> str:
    """The path of a layer: `conv1/bn`."""
    return str(layer.name).replace(".", "/")
