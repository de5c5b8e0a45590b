"""Time per layer to build ResNets for CIFAR of 110, 302 and 1202 layers: it must not grow with the number of layers.

    python benchmarks/depth.py [--runs 3]

Target: with 1202 layers at most 1.6 times the CPU time per layer with 110; a quadratic algorithm would take 11 times.
Medians of alternating runs.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time

from archspec.runtime.system.tensorflow_import import import_tensorflow

import_tensorflow()

import keras  # noqa: E402

import archspec  # noqa: E402

UNITS = {110: 18, 302: 50, 1202: 200}
"""n of the 6n + 2 layers."""
LIMIT = 1.6


def milliseconds(units: int) -> float:
    """CPU seconds per Keras layer."""
    keras.utils.clear_session()
    gc.collect()
    network = archspec.load("resnet-cifar:110", n=units)
    network.graph()
    start = time.process_time()
    model = network.build()
    return 1e3 * (time.process_time() - start) / len(model.layers)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build time by depth.")
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    milliseconds(3)  # the first model of a process loads and caches modules
    times = [{depth: milliseconds(units) for depth, units in UNITS.items()} for _ in range(runs)]
    each = {depth: statistics.median(run[depth] for run in times) for depth in UNITS}
    for depth, time_ in each.items():
        print(
            f"resnet-cifar of {depth:5,} layers: {time_:.2f} ms a Keras layer, {time_ / each[110]:.2f} of that at 110"
        )
    return 0 if each[1202] <= LIMIT * each[110] else 1


if __name__ == "__main__":
    sys.exit(main())
