"""Time to build a network, compared with keras.applications building the same one in the same process.

    python benchmarks/build.py [--runs 5]

Target: no slower. `archspec.build` includes reading and checking the spec. Medians of alternating runs; the one that
goes first changes from run to run.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from archspec.runtime.system.tensorflow_import import import_tensorflow

import_tensorflow()

import keras  # noqa: E402

import archspec  # noqa: E402

NETWORKS: dict[str, Callable[..., Any]] = {
    "vgg:D": keras.applications.VGG16,
    "resnet:152": keras.applications.ResNet152,
}


def seconds(build: Callable[[], Any]) -> float:
    """Wall-clock seconds of one build, in which all variables are initialized."""
    keras.utils.clear_session()
    gc.collect()
    start = time.perf_counter()
    build()
    return time.perf_counter() - start


def compare(reference: str, runs: int) -> bool:
    builders: list[Callable[[], object]] = [
        lambda: archspec.build(reference),
        lambda: NETWORKS[reference](weights=None),
    ]
    for build in builders:
        build()
    times: list[list[float]] = [[], []]
    for run in range(runs):
        for which in (0, 1) if run % 2 else (1, 0):
            times[which].append(seconds(builders[which]))
    ours, theirs = map(statistics.median, times)
    print(f"{reference:12} archspec {ours:6.2f} s   keras.applications {theirs:6.2f} s   ratio {ours / theirs:.2f}")
    return ours <= theirs


def main() -> int:
    parser = argparse.ArgumentParser(description="Build in process.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    met = [compare(reference, runs) for reference in NETWORKS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
