"""Batch normalization and ReLU, outputs and gradients: by Keras, by the fused kernel, and by groups of pixels.

    python benchmarks/batch_norm.py [--channels 24 36 48 ...] [--size 32] [--batch-size 32] [--rounds 9]

Milliseconds of CPU time on one thread, medians over rounds in turn, oneDNN on. archspec takes pixels in groups where
the channels are no multiple of 16 (archspec/runtime/models/fast/unaligned_batch_norm.py). There it must not take more
than 1.1 times as long as the fused kernel; the exit status is 1 if it does. Multiples of 16 do not count: there the
fused kernel is in both columns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.update({"TF_ENABLE_ONEDNN_OPTS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"})

import numpy as np

from archspec.runtime.models.fast.batch_norm import speed_up_batch_normalization
from archspec.runtime.models.fast.unaligned_batch_norm import VECTOR, speed_up_unaligned_batch_normalization
from archspec.runtime.system.processor import name
from archspec.runtime.system.tensorflow_import import import_tensorflow

KERNEL, GROUPS = "fused kernel", "groups"
CHANGES: dict[str, Callable[[Any], int]] = {
    "Keras": lambda model: 0,
    KERNEL: speed_up_batch_normalization,
    GROUPS: speed_up_unaligned_batch_normalization,
}
CALLS = 5
MOST = 1.1


def training(change: Callable[[Any], int], shape: tuple[int, ...]) -> Callable[[], None]:
    """Outputs and gradients of a batch normalization and ReLU, `CALLS` times."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(shape[1:])
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    change(model)
    x = tf.constant(np.random.default_rng(0).normal(size=shape).astype("float32"))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.nn.relu(model(x, training=True))
        gradients = tape.gradient(outputs, [x, *model.trainable_variables], output_gradients=x)
        return [each[..., 0] for each in (outputs, *gradients)]

    def calls() -> None:
        for _ in range(CALLS):
            step(x)

    calls()
    return calls


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, nargs="+", default=[12, 24, 32, 36, 40, 48, 58, 60, 84, 96, 100])
    parser.add_argument("--size", type=int, default=32, help="height and width")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    import_tensorflow()
    print(f"{name()}, one thread, ms of CPU time")
    print("channels" + "".join(f"{what:>14}" for what in CHANGES) + "   kernel / groups")
    slower = False
    for channels in options.channels:
        shape = (options.batch_size, options.size, options.size, channels)
        made = {what: training(change, shape) for what, change in CHANGES.items()}
        found: dict[str, list[float]] = {what: [] for what in made}
        for _ in range(options.rounds):
            for what, calls in made.items():
                start = time.process_time()
                calls()
                found[what].append(1000 * (time.process_time() - start) / CALLS)
        medians = {what: statistics.median(each) for what, each in found.items()}
        ratio = medians[KERNEL] / medians[GROUPS]
        slower |= channels % VECTOR > 0 and ratio < 1 / MOST
        print(f"{channels:8}" + "".join(f"{medians[what]:14.2f}" for what in CHANGES) + f"{ratio:18.2f}", flush=True)
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
