"""Histograms of the scores of negatives and positives: sums over batches and replicas, from which ranks are counted.

Scores in one bin count as tied, so the area under a curve is exact to the share of tied pairs. `archspec evaluate`
computes from all outputs instead, without bins.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

BINS = 2048
LIMIT = 16.0
"""Scores (logits) beyond this are in the last bin: sigmoid(16) is 1 - 1.1e-7."""
FINENESS = 64.0
"""Bins are narrow near a score of 0, 0.0001 wide, and get wider in proportion to the score: 0.02 at 3."""


def score_histogram(tf: Any, scores: Any, labels: Any) -> Any:
    """Scores (B, units) and labels 0 or 1 (B, units) -> counts of negatives and positives, float32 (units 2 BINS,)."""
    units = scores.shape[-1]
    share = tf.asinh(tf.cast(scores, tf.float32) * FINENESS) / math.asinh(LIMIT * FINENESS)
    place = tf.cast(tf.clip_by_value((share + 1) * (BINS / 2), 0.0, BINS - 1.0), tf.int32)
    row = 2 * tf.range(units)[None] + tf.cast(labels >= 0.5, tf.int32)
    ids = tf.reshape(row * BINS + place, [-1])
    return tf.math.unsorted_segment_sum(tf.ones_like(ids, tf.float32), ids, units * 2 * BINS)


def area_under_curve(histogram: npt.NDArray[np.float64]) -> float:
    """The area under the ROC curve of (negatives, positives) by bins (2, BINS), ties counted half; NaN for one class.

    It is the share of pairs of a positive and a negative in which the positive has the larger score.
    """
    negatives, positives = histogram
    pairs = negatives.sum() * positives.sum()
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs) if pairs else float("nan")


def average_precision(histogram: npt.NDArray[np.float64]) -> float:
    """The sum of precision times the growth of recall over the bins from the largest score, (2, BINS); NaN without
    positives."""
    negatives, positives = histogram[:, ::-1]
    total = positives.sum()
    if not total:
        return float("nan")
    found = np.cumsum(positives)
    precision = found / np.maximum(found + np.cumsum(negatives), 1)
    return float((positives * precision).sum() / total)
