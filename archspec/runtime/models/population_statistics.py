"""Batch normalization by the statistics of the whole training set instead of moving averages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from archspec.diagnostics import fail


def set_population_statistics(model: Any, batches: Iterable[Any]) -> int:
    """Set the mean and variance of every batch normalization to those of a population, and return their number.

    Ioffe & Szegedy 2015, Algorithm 2, steps 8 to 11, over many training mini-batches of m values each, with the layers
    before it normalized by the same mini-batch as in training: E[x] = E_B[mu_B], Var[x] = m / (m - 1) E_B[sigma_B^2].
    In a convolutional network m is the number of images times that of the positions (section 3.2).

    Args:
        model: a functional keras.Model; its other weights do not change.
        batches: inputs (B, ...), preprocessed, of the same B; a smaller last batch is left out if
            it is not the only one.

    Raises:
        ArchspecError: `not-functional` for batch normalization inside a nested model.
    """
    import keras

    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    if any(isinstance(layer, keras.Model) and _normalized(keras, layer) for layer in model.layers):
        fact = f"`{model.name}` has batch normalization inside a nested model"
        raise fail("not-functional", fact, help="statistics are recomputed for networks without nested models")
    layers = _normalized(keras, model)
    if not layers:
        return 0
    inputs_of = keras.Model(model.inputs, [layer.input for layer in layers])

    def moments(x: Any) -> list[Any]:
        found = []
        for layer, values in zip(layers, inputs_of(x, training=True), strict=True):
            values = tf.cast(values, tf.float32)
            axes = [axis for axis in range(values.shape.rank) if axis != layer.axis % values.shape.rank]
            mean, variance = tf.nn.moments(values, axes)
            m = tf.cast(tf.size(values) // tf.size(mean), tf.float32)
            found.append(tf.stack([mean, variance * m / tf.maximum(m - 1, 1)]))
        return found

    compiled = tf.function(moments, autograph=False, reduce_retracing=True)
    first, sums, count = 0, [np.zeros(())] * len(layers), 0
    for x in batches:
        first = first or len(x)
        if len(x) < first:
            continue
        sums = [total + np.asarray(each, np.float64) for total, each in zip(sums, compiled(x), strict=True)]
        count += 1
    for layer, total in zip(layers, sums, strict=True):
        mean, variance = total / count
        layer.moving_mean.assign(mean.astype(np.float32))
        layer.moving_variance.assign(variance.astype(np.float32))
    return len(layers)


def _normalized(keras: Any, model: Any) -> list[Any]:
    """The batch normalization layers of a model, those in models inside it included."""
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += _normalized(keras, layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            found.append(layer)
    return found
