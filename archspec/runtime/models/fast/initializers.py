"""Initial values of large kernels, bit-identical to those of Keras, in less time and memory.

Keras draws a uniform distribution as u, u (b - a) and u (b - a) + a, each a new array: three times the 411 MB of the
first dense layer of VGG. A tf.function fuses them in the memory of the first.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

LARGE = 1 << 20
"""Smallest number of weights for which it is faster."""


def call_with_one_pass(keras: Any, layer: Any, inputs: Sequence[Any]) -> Any:
    """`layer(*inputs)`, which creates the kernel. The layer keeps its own initializer."""
    stock = getattr(layer, "kernel_initializer", None)
    if type(stock) is not keras.initializers.GlorotUniform or keras.backend.backend() != "tensorflow":
        return layer(*inputs)
    layer.kernel_initializer = functools.partial(_draw, keras, stock)
    try:
        return layer(*inputs)
    finally:
        layer.kernel_initializer = stock


def _draw(keras: Any, stock: Any, shape: Sequence[int], dtype: Any = None) -> Any:
    import tensorflow as tf

    if math.prod(shape) < LARGE or len(shape) != 2 or dtype not in (None, "float32") or not isinstance(stock.seed, int):
        return stock(shape, dtype=dtype)
    limit = math.sqrt(3 / ((shape[0] + shape[1]) / 2))  # Glorot & Bengio 2010, equation 16
    seed = tf.constant(
        [stock.seed % (tf.int32.max - 1), 0], tf.int32
    )  # as Keras derives TensorFlow's seed from its own
    return _uniform()(tf.constant(shape), seed, tf.constant(limit))


@functools.cache
def _uniform() -> Callable[..., Any]:
    import tensorflow as tf

    @tf.function(autograph=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def uniform(shape: Any, seed: Any, limit: Any) -> Any:
        return tf.random.stateless_uniform(shape, seed, -limit, limit)

    return uniform  # type: ignore[no-any-return]
