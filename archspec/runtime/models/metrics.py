"""The cross-entropy, the rank of the true class, and their sums over examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from archspec.targets import OutputTargets


def cross_entropy(tf: Any, logits: Any, labels: Any, label_smoothing: float = 0.0) -> Any:
    """Logits (B, classes), and labels int (B,) or mixed labels float (B, classes), -> nats (B,).

    Smoothed targets as in Szegedy et al. 2015 (1512.00567), section 7.
    """
    log_probabilities = tf.nn.log_softmax(logits)
    if labels.dtype.is_integer:
        loss = -tf.gather(log_probabilities, labels, batch_dims=1)
    else:
        loss = -tf.reduce_sum(tf.cast(labels, log_probabilities.dtype) * log_probabilities, axis=-1)
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * tf.reduce_mean(log_probabilities, axis=-1)
    return loss


def ranks(tf: Any, logits: Any, labels: Any) -> Any:
    """Rank of the true class among all classes, int32 (B,), from 0: an example is right in the top k if it is below k.

    The true class of mixed labels, float (B, classes), is the one with the largest share.
    """
    if not labels.dtype.is_integer:
        labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
    true = tf.gather(logits, labels, batch_dims=1)
    behind = ranked_behind(logits, true, labels, tf.range(tf.shape(logits)[-1], dtype=labels.dtype))
    return tf.shape(logits)[-1] - 1 - tf.reduce_sum(tf.cast(behind, tf.int32), axis=-1)


def ranked_behind(scores: Any, true: Any, labels: Any, classes: Any) -> Any:
    """Which classes rank below the true one, bool (B, classes); for NumPy arrays and tensors.

    Of equal scores the earlier class comes first, as in argmax, so that a network that gives every class the same score
    is right once in `classes` examples. A NaN is never right.

    Args:
        scores: (B, classes), logits or posteriors.
        true: (B,), the scores of the true classes.
        labels: int (B,).
        classes: int (classes,), the numbers from 0.
    """
    return (scores < true[:, None]) | ((scores == true[:, None]) & (classes[None] > labels[:, None]))


@dataclass(frozen=True)
class MetricSums:
    """Sums over the examples seen so far: the loss, and how many are right in the top 1 and top 5."""

    examples: float = 0.0
    loss_sum: float = 0.0
    top1_count: float = 0.0
    top5_count: float = 0.0
    counts: tuple[float, ...] = ()
    """The sums of other targets than one class for each image (`OutputTargets.counts`)."""

    def __add__(self, other: MetricSums) -> MetricSums:
        counts = zip_longest(self.counts, other.counts, fillvalue=0.0)
        return MetricSums(
            self.examples + other.examples,
            self.loss_sum + other.loss_sum,
            self.top1_count + other.top1_count,
            self.top5_count + other.top5_count,
            tuple(mine + its for mine, its in counts),
        )

    @classmethod
    def of(cls, vector: Any) -> MetricSums:
        """From the result of `metric_sums`, float (4,), or of `target_sums`, (4 + n,)."""
        values = list(map(float, np.asarray(vector)))
        examples, loss_sum, top1_count, top5_count = values[:4]
        return cls(examples, loss_sum, top1_count, top5_count, tuple(values[4:]))

    @property
    def loss(self) -> float:
        """Mean loss of an example; NaN without examples."""
        return self._mean(self.loss_sum)

    @property
    def top1(self) -> float:
        """Share of examples whose most likely class is the true one, 0 to 1."""
        return self._mean(self.top1_count)

    @property
    def top5(self) -> float:
        """Share of examples whose true class is among the five most likely ones, 0 to 1."""
        return self._mean(self.top5_count)

    def _mean(self, total: float) -> float:
        return total / self.examples if self.examples else float("nan")


def metric_sums(tf: Any, logits: Any, labels: Any, losses: Any, copies: Any) -> Any:
    """The fields of MetricSums as a vector, float32 (4,).

    copies: number of replicas that see each of these examples; the sum over all replicas counts an example once.
    """
    rank = ranks(tf, logits, labels)
    counts = [tf.ones_like(losses), losses, tf.cast(rank < 1, tf.float32), tf.cast(rank < 5, tf.float32)]
    return tf.stack([tf.reduce_sum(count) for count in counts]) / copies


def target_sums(
    tf: Any, targets: OutputTargets, scores: Sequence[Any], y: Any, losses: Any, copies: Any, *, running: bool
) -> Any:
    """The fields of MetricSums as a vector, with the counts of the targets: float32 (4,) or (4 + n,).

    Args:
        scores: of each target, float32 (B, units).
        y: the labels of all targets, as a batch has them.
        losses: float32 (B,).
        copies: as for `metric_sums`.
        running: leave out what only a validation needs.
    """
    if targets.is_plain:
        return metric_sums(tf, scores[0], y, losses, copies)
    sums = tf.stack([tf.cast(tf.shape(losses)[0], tf.float32), tf.reduce_sum(losses), 0.0, 0.0])
    return tf.concat([sums, targets.counts(tf, scores, y, running=running)], axis=0) / copies
