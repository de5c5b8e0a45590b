"""How much tf.data does at once, which no autotuning changes."""

from __future__ import annotations

import os
from typing import Any


def untuned(dataset: Any) -> Any:
    """A tf.data.Dataset without tf.data's autotuning: its parallelism is what its maps and prefetches say.

    Autotuning measures in a thread of its own, which sleeps for up to a minute between two looks. An iterator that ends
    waits for it: with TensorFlow 2.21 a minute in which nothing happens, at the end of an epoch or of the run.
    `python benchmarks/iterator_end.py` shows it.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def images_at_once() -> int:
    """Images that are prepared at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batches_at_once() -> int:
    """Batches that are prepared at once: few, because each waits in memory."""
    return min(images_at_once(), 4)
