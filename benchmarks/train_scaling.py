"""Cost of the training loop: one replica compared with Keras's `fit`, and two logical devices compared with one.

    python benchmarks/train_scaling.py [--rounds 9] [--steps 20] [--batch-size 64]

Target: an epoch takes at most 1.03 times as long as `fit` with the same network, optimizer, batches and metrics;
median of alternating rounds. Two logical devices of one CPU share its cores: their extra time is the cost of splitting
the batch, exchanging gradients and synchronizing batch normalization. It is printed and has no target. CPU time varies
less than wall-clock time on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from archspec.runtime.system.tensorflow_import import import_tensorflow

tf = import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

import archspec  # noqa: E402
from archspec.lang.recipes.recipe import Recipe  # noqa: E402
from archspec.runtime.distributed.strategy import make_strategy  # noqa: E402
from archspec.runtime.models.metrics import MetricSums  # noqa: E402
from archspec.runtime.training.replica_batches import replica_batches  # noqa: E402
from archspec.runtime.training.train_step import TrainStep  # noqa: E402

MOST = 1.03
REFERENCE = "resnet-cifar:20"


def batches(options: argparse.Namespace) -> Any:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(options.batch_size * 4, 32, 32, 3)).astype("float32")
    y = generator.integers(0, 10, len(x)).astype("int32")
    # `fit` makes a new iterator in each call. While tf.data tunes itself, the end of the last one may wait for its
    # thread (benchmarks/iterator_end.py): seconds that are no training, and that ours, with one iterator, would lack
    tuning = tf.data.Options()
    tuning.autotune.enabled = False
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(options.batch_size).cache().repeat()
    return data.with_options(tuning)


def ours(options: argparse.Namespace, devices: int) -> Callable[[], None]:
    """An epoch of some steps, with its loss and accuracies."""
    strategy = make_strategy(devices)
    with strategy.scope():
        model = archspec.build(REFERENCE)
    step = TrainStep(strategy, model, Recipe())
    iterator = iter(replica_batches(strategy, batches(options)))

    def epoch() -> None:
        vectors = [step(iterator, 0.01) for _ in range(options.steps)]
        assert (
            sum((MetricSums.of(each) for each in vectors), MetricSums()).examples == options.steps * options.batch_size
        )

    return epoch


def fit(options: argparse.Namespace) -> Callable[[], None]:
    model = archspec.build(REFERENCE)
    metrics = ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(5)]
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    # neither is compiled by XLA, which Keras would choose for `fit` and which is slower on a CPU
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=metrics, jit_compile=False)
    data = batches(options)
    return lambda: model.fit(data, steps_per_epoch=options.steps, verbose=0)


def times(epochs: list[Callable[[], None]], rounds: int) -> list[list[tuple[float, float]]]:
    """Wall-clock and CPU seconds of each, in every round."""
    measured: list[list[tuple[float, float]]] = [[] for _ in epochs]
    for epoch in epochs:
        epoch()
    for number in range(rounds):
        order = list(enumerate(epochs))
        for which, epoch in order if number % 2 else order[::-1]:
            wall, cpu = time.perf_counter(), time.process_time()
            epoch()
            measured[which].append((time.perf_counter() - wall, time.process_time() - cpu))
    return measured


def median(measured: list[tuple[float, float]]) -> tuple[float, float]:
    wall, cpu = zip(*measured, strict=True)
    return statistics.median(wall), statistics.median(cpu)


def main() -> int:
    parser = argparse.ArgumentParser(description="The training loop.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--devices", type=int, help="measure this number of logical devices, and print JSON")
    options = parser.parse_args()
    if options.devices:
        print(json.dumps(median(times([ours(options, options.devices)], options.rounds)[0])))
        return 0
    pairs = times([ours(options, 1), fit(options)], options.rounds)
    (wall, cpu), (fit_wall, fit_cpu) = map(median, pairs)
    ratio = statistics.median(mine[0] / its[0] for mine, its in zip(*pairs, strict=True))
    command = [sys.executable, __file__, "--devices", "2", *sys.argv[1:]]
    two_wall, two_cpu = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{REFERENCE}, batch {options.batch_size}, epochs of {options.steps} steps, medians of {options.rounds}:")
    print(f"{'':24} {'seconds':>8} {'CPU':>8} {'images/s':>9}")
    images = options.steps * options.batch_size
    for name, seconds, used in (
        ("keras fit", fit_wall, fit_cpu),
        ("archspec, 1 device", wall, cpu),
        ("archspec, 2 devices", two_wall, two_cpu),
    ):
        print(f"{name:24} {seconds:8.2f} {used:8.2f} {images / seconds:9.0f}")
    print(f"1 device beside fit: {ratio:.3f} of its seconds (at most {MOST}), {cpu / fit_cpu:.3f} of its CPU time")
    print(f"2 devices beside 1: {two_wall / wall:.2f} of its seconds, {two_cpu / cpu:.2f} of its CPU time")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
