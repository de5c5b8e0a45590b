"""CPU time of the updates of the weights: TensorFlow's kernels, which archspec uses, and Keras's own operations.

    python benchmarks/update_kernels.py [--rounds 9] [--threads 1]

The weights are kernels of the sizes in a large network, 5 and 25 million values together. Both update their own copies
in alternating rounds of one process, in a graph. Target: with each optimizer at most 0.9 times Keras's CPU time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.training.optimization.fused_updates import speed_up_updates

MOST = 0.9
OPTIMIZERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "SGD": ("SGD", {}),
    "SGD with momentum": ("SGD", {"momentum": 0.9}),
    "SGD with Nesterov momentum": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "Adam": ("Adam", {}),
    "RMSprop with momentum": ("RMSprop", {"momentum": 0.9}),
}
SIZES: Mapping[str, Sequence[tuple[int, ...]]] = {
    "5 million weights": [(3, 3, 512, 512)] * 2 + [(256, 1000)],
    "25 million weights": [(3, 3, 512, 512)] * 10 + [(2048, 1000)],
}


def updates(optimizer: Any, shapes: Sequence[tuple[int, ...]], fused: bool) -> Callable[[], object]:
    import keras
    import tensorflow as tf

    generator = np.random.default_rng(0)
    weights = [keras.Variable(generator.normal(size=shape).astype("float32")) for shape in shapes]
    gradients = [tf.constant(generator.normal(size=shape).astype("float32")) for shape in shapes]
    optimizer.build(weights)
    if fused and not speed_up_updates(optimizer):
        raise SystemExit(f"{optimizer.name} has no kernel here")
    update = tf.function(lambda given: optimizer.apply(given, weights), autograph=False)
    return lambda: update(gradients)


def seconds(update: Callable[[], object], number: int) -> float:
    """CPU seconds of one update."""
    cpu = time.process_time()
    for _ in range(number):
        update()
    return (time.process_time() - cpu) / number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {key: str(options.threads) for key in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")}
    import_tensorflow()
    import keras

    met = True
    for title, shapes in SIZES.items():
        print(f"\n{title}; threads: {options.threads}; ms of CPU time: Keras's operations, kernel, ratio")
        number = 100_000_000 // sum(map(int, map(np.prod, shapes)))
        for label, (kind, given) in OPTIMIZERS.items():
            both = [updates(getattr(keras.optimizers, kind)(**given), shapes, fused) for fused in (False, True)]
            for update in both:
                update()
            found: tuple[list[float], list[float]] = ([], [])
            for turn in range(options.rounds):
                for which in (0, 1) if turn % 2 else (1, 0):
                    found[which].append(seconds(both[which], number))
            ratio = statistics.median(mine / its for its, mine in zip(*found, strict=True))
            met &= ratio <= MOST
            its, mine = (1000 * statistics.median(each) for each in found)
            print(f"  {label:28}{its:8.1f}{mine:8.1f}{ratio:8.2f}", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
