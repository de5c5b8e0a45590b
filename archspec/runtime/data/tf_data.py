"""Settings of tf.data pipelines: a fixed parallelism, without autotuning."""

from __future__ import annotations

import os
from typing import Any


def untuned(dataset: Any) -> Any:
    """A tf.data.Dataset without autotuning: its maps and prefetches state their parallelism.

    The thread of autotuning sleeps for up to a minute between two measurements, and an iterator that ends waits for it:
    with TensorFlow 2.21 a run can hang for a minute at its end or at the end of an epoch.
    `python benchmarks/iterator_end.py` shows it.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def images_at_once() -> int:
    """Number of images that are prepared in parallel."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batches_at_once() -> int:
    """Number of batches that are prepared in parallel: few, because each waits in memory."""
    return min(images_at_once(), 4)
