"""Time to close an iterator of training batches, compared with the same dataset with tf.data's autotuning.

The thread of autotuning sleeps for up to a minute between two rounds, and closing an iterator sometimes waits for it:
see archspec/runtime/data/tf_data.py. The autotuned dataset is read until its thread sleeps.
"""

from __future__ import annotations

import gc
import time
from typing import Any

import numpy as np

from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import training_batches
from archspec.runtime.system.tensorflow_import import import_tensorflow

ITERATORS, SECONDS = 20, 1.0


def longest_end(make: Any) -> float:
    """Seconds to close the slowest of several iterators, after all have been read."""
    iterators = [iter(make()) for _ in range(ITERATORS)]
    for iterator in iterators:
        for _ in range(20):
            next(iterator)
    time.sleep(SECONDS)
    longest = 0.0
    while iterators:
        started = time.perf_counter()
        iterators.pop()
        gc.collect()
        longest = max(longest, time.perf_counter() - started)
    return longest


def main() -> None:
    tf = import_tensorflow()
    pixels = np.zeros((4096, 8, 8, 1), np.uint8)
    images = Images(("a", "b"), np.zeros(len(pixels), np.int32), pixels=pixels)

    def ours() -> Any:
        return training_batches(images, input_shape=(8, 8, 1), batch_size=32, epochs=1000, seed=0)

    def tuned() -> Any:
        options = tf.data.Options()
        options.autotune.enabled = True
        return ours().prefetch(tf.data.AUTOTUNE).with_options(options)

    quick, slow = longest_end(ours), longest_end(tuned)
    print(f"slowest of {ITERATORS} ends: {quick:.2f} s, with autotuning {slow:.2f} s, ratio {quick / slow:.3f}")
    raise SystemExit(quick > 0.5 * slow)


if __name__ == "__main__":
    main()
