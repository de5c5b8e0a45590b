"""The plan of an epoch: its order, a permutation of the images, and its draws, the random numbers of each image."""

from __future__ import annotations

from typing import Any


def epoch_plan(tf: Any, count: int, draws: int, seed: int, epoch: Any) -> tuple[Any, Any]:
    """The order of an epoch, int64 (count,), and the draws of each image, float32 (count, draws) in [0, 1).

    The seed of the permutation is drawn too: with consecutive seeds, TensorFlow's index_shuffle is not uniform (chi
    squared per degree of freedom is 8, instead of 1, for the positions of an image in 2,000 epochs).
    """
    epoch = tf.cast(epoch, tf.int64)
    # seeds of 63 bits; the parity of the second word separates the two streams of an epoch
    first = tf.constant(seed % 2**63, tf.int64)
    shuffle_seed = tf.random.stateless_uniform(
        (2,), tf.stack([first, 2 * epoch]), minval=None, maxval=None, dtype=tf.int32, alg="philox"
    )
    indices = tf.range(tf.constant(count, tf.int64))
    order = tf.random.experimental.index_shuffle(indices, shuffle_seed, tf.constant(count - 1, tf.int64))
    return order, tf.random.stateless_uniform((count, draws), tf.stack([first, 2 * epoch + 1]), alg="philox")


def batch_draws(tf: Any, steps: int, draws: int, seed: int, epoch: Any) -> Any:
    """The draws of each batch of an epoch, float32 (steps, draws) in [0, 1), from another stream than the images'."""
    first = tf.constant(seed % 2**63, tf.int64)
    stream = tf.stack([first, -1 - tf.cast(epoch, tf.int64)])
    return tf.random.stateless_uniform((steps, draws), stream, alg="philox")
