"""What the calls from Python cost in the training of a tiny network: steps one by one against 16 in one graph.

    python benchmarks/tiny_steps.py [--network resnet-digits] [--batch-size 64] [--rounds 9]

Both run the same step on the same batches, in turn. Sixteen steps in one call of TensorFlow are the floor of batching
steps, as `steps_per_execution` of Keras does; archspec runs one step a call, so that it can be stopped, saved and
resumed at each step. The medians of CPU time and images per second.

Target: a step by itself takes at most 1.2 times the CPU time of one among 16. The exit status is 1 if not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from train_peers import batches

import archspec
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.system.processor import name
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.training.replica_batches import replica_batches
from archspec.runtime.training.train_step import TrainStep

STEPS = 16
MOST = 1.2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet-digits")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    tf = import_tensorflow()
    graph = archspec.load(options.network).graph()
    given = {"batch": options.batch_size, "input": graph.input_shape, "classes": graph.output_shape[-1]}
    strategy = make_strategy(1)
    with strategy.scope():
        model = archspec.build(options.network)
    step = TrainStep(strategy, model, Recipe(), loss_weights=graph.loss_weights)
    iterator = iter(replica_batches(strategy, batches(given)))
    zeros = tf.zeros_like(step(iterator, 0.01))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def together(iterator: Any, rate: Any) -> Any:
        def one(number: Any, sums: Any) -> tuple[Any, Any]:
            return number + 1, sums + step._traced(iterator, rate, tf.constant(True))

        return tf.while_loop(lambda number, sums: number < STEPS, one, (0, zeros), parallel_iterations=1)[1]

    def one_by_one() -> None:
        for vector in [step(iterator, 0.01) for _ in range(STEPS)]:
            MetricSums.of(vector)

    calls: dict[str, Callable[[], Any]] = {
        "one by one": one_by_one,
        f"{STEPS} in one call": lambda: MetricSums.of(together(iterator, tf.constant(0.01))),
    }
    times: dict[str, list[tuple[float, float]]] = {what: [] for what in calls}
    for number in range(options.rounds + 1):
        for what, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if number:
                times[what].append(((time.perf_counter() - wall) / STEPS, (time.process_time() - cpu) / STEPS))
    print(f"{options.network}, batch {options.batch_size}, {name()}")
    medians = {}
    for what, found in times.items():
        wall, cpu = (statistics.median(each[i] for each in found) for i in (0, 1))
        medians[what] = cpu
        print(f"{what:16} {options.batch_size / wall:8.0f} images/s, {1000 * cpu:6.2f} ms of CPU a step")
    single, bundled = medians.values()
    print(f"{single / bundled:.2f} times the CPU time")
    return int(single > MOST * bundled)


if __name__ == "__main__":
    sys.exit(main())
