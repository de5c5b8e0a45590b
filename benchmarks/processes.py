"""The shared part of summarize.py and zoo.py: CPU time and memory of whole processes. Not a benchmark by itself."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LEAST_SPEED, LEAST_MEMORY = 25.0, 12.0
MEGA = 1 << 20


class Cost(NamedTuple):
    """Of one process, or the medians of several: seconds by the clock and of the CPU, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def cost(*arguments: str) -> Cost:
    """Run Python with these arguments. Raises RuntimeError when it fails."""
    start = time.perf_counter()
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed")
    kilobytes = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss / 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, kilobytes * 1024 / MEGA)


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))


def summarize(reference: str, function: str, runs: int) -> bool:
    """Print both costs. Returns whether the targets are met."""
    peer = f"import keras; keras.applications.{function}(weights=None).summary()"
    pairs = [(cost("-m", "archspec", "summarize", reference), cost("-c", peer)) for _ in range(runs)]
    ours, theirs = (median(list(costs)) for costs in zip(*pairs, strict=True))
    speed, cpu, memory = (b / a for a, b in zip(ours, theirs, strict=True))
    print(f"{'':34} {'seconds':>9} {'CPU':>9} {'peak MB':>9}")
    print(f"{'archspec summarize ' + reference:34} {ours.wall:9.2f} {ours.cpu:9.2f} {ours.memory:9.0f}")
    print(f"{'keras.applications.' + function:34} {theirs.wall:9.2f} {theirs.cpu:9.2f} {theirs.memory:9.0f}")
    print(f"{'ratio':34} {speed:9.1f} {cpu:9.1f} {memory:9.1f}\n")
    return speed >= LEAST_SPEED and memory >= LEAST_MEMORY


def check(specs: Sequence[str], most_seconds: float, runs: int) -> bool:
    """Print the cost of checking the specs. Returns whether it stays within that CPU time."""
    found = median([cost("-m", "archspec", "check", *specs) for _ in range(runs)])
    print(f"archspec check, {len(specs)} specs: {found.cpu:.2f} s of CPU time")
    return found.cpu <= most_seconds


def main(networks: Mapping[str, str], specs: Sequence[str], most_seconds: float) -> int:
    """Compare summaries with functions of keras.applications, and check the specs. Returns the exit status."""
    parser = argparse.ArgumentParser(description="archspec summarize and check, as whole processes.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    met = [summarize(reference, function, runs) for reference, function in networks.items()]
    met.append(check(specs, most_seconds, runs))
    return 0 if all(met) else 1
