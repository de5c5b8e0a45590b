"""CPU time (user + system) and peak memory of short commands, as whole processes, in interleaved runs.

    python benchmarks/startup.py [--runs 15] [--peers]

Run it with the Python of an environment with archspec installed from a wheel: an editable install takes longer to find
modules. The limits are multiples of the CPU time of a Python that does nothing (`python -c pass`), or seconds where
these are more: `import archspec` and `--version` 2.5 times + 40 ms, `--help` and completion 4 times or 80 ms, a
summary 5 times or 100 ms, `check` of all specs 40 times or 0.8 s. With `--peers`, which runs
`keras.applications.X(weights=None).summary()` once, that takes at least 40 times the CPU time and 35 times the memory
of `archspec summarize`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

from archspec import families

NETWORKS = {
    "vgg:E": "VGG19",
    "resnet:152": "ResNet152",
    "nasnet:large": "NASNetLarge",
    "efficientnet:b7": "EfficientNetB7",
}
COMPLETION = {"_ARCHSPEC_COMPLETE": "bash_complete", "COMP_WORDS": "archspec summ", "COMP_CWORD": "1"}
LEAST_CPU, LEAST_MEMORY = 40.0, 35.0
MEGABYTE = 1 << 20


class Cost(NamedTuple):
    """CPU time in seconds, and peak memory in MB."""

    cpu: float
    memory: float


class Command(NamedTuple):
    """The arguments of Python, and the most seconds of CPU time, given those of a Python that does nothing."""

    arguments: tuple[str, ...]
    limit: Callable[[float], float]
    environment: dict[str, str] = {}


def archspec(*arguments: str, times: float, seconds: float, environment: dict[str, str] | None = None) -> Command:
    """A command as the console script runs it."""
    code = "from archspec.__main__ import main; main()"
    return Command(("-c", code, *arguments), lambda bare: max(times * bare, seconds), environment or {})


def cost(command: Command) -> Cost:
    """Run Python once. Raises RuntimeError when it fails."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **command.environment}
    process = subprocess.Popen(
        [sys.executable, "-P", *command.arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"python {' '.join(command.arguments)} exits with {process.returncode}")
    kilobytes = usage.ru_maxrss if sys.platform != "darwin" else usage.ru_maxrss / 1024
    return Cost(usage.ru_utime + usage.ru_stime, kilobytes * 1024 / MEGABYTE)


def commands(peers: bool) -> dict[str, Command]:
    """Name -> command."""
    found = {
        "python -c pass": Command(("-c", "pass"), lambda bare: bare),
        "import archspec": Command(("-c", "import archspec"), lambda bare: 2.5 * bare + 0.04),
        "archspec --version": Command(archspec("--version", times=0, seconds=0).arguments, lambda b: 2.5 * b + 0.04),
        "archspec --help": archspec("--help", times=4, seconds=0.08),
        "shell completion": archspec(times=4, seconds=0.08, environment=COMPLETION),
    }
    for reference, function in NETWORKS.items():
        found[f"archspec summarize {reference}"] = archspec("summarize", reference, times=5, seconds=0.1)
        if peers:
            code = f"import keras; keras.applications.{function}(weights=None).summary()"
            found[function] = Command(("-c", code), lambda bare: float("inf"))
    found["archspec check, all specs"] = archspec("check", *families(), times=40, seconds=0.8)
    return found


def main() -> int:
    """Print a table of medians. Returns 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description="CPU time and memory of short commands.")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument(
        "--peers", action="store_true", help="compare summaries with keras.applications, once a network"
    )
    options = parser.parse_args()
    every = commands(options.peers)
    costs: dict[str, list[Cost]] = {name: [] for name in every}
    for run in range(options.runs):
        for name, command in every.items():
            if run == 0 or name not in NETWORKS.values():
                costs[name].append(cost(command))
    medians = {name: Cost(*map(statistics.median, zip(*found, strict=True))) for name, found in costs.items()}
    bare = medians["python -c pass"].cpu
    print(f"{'':36} {'CPU ms':>9} {'x bare':>7} {'limit ms':>9} {'peak MB':>8}")
    met = True
    for name, found in medians.items():
        limit = every[name].limit(bare)
        met = met and found.cpu <= limit
        print(
            f"{name:36} {1000 * found.cpu:9.1f} {found.cpu / bare:7.1f} {1000 * limit:9.0f} {found.memory:8.1f}"
            f"{'' if found.cpu <= limit else '  exceeded'}"
        )
    for reference, function in NETWORKS.items() if options.peers else ():
        ours, theirs = medians[f"archspec summarize {reference}"], medians[function]
        cpu, memory = theirs.cpu / ours.cpu, theirs.memory / ours.memory
        met = met and cpu >= LEAST_CPU and memory >= LEAST_MEMORY
        print(f"keras.applications.{function} takes {cpu:.0f} times the CPU time and {memory:.0f} times the memory")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
