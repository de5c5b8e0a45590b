"""`archspec summarize` beside keras.applications, and `archspec check` of the first pages. Whole processes.

    python benchmarks/summarize.py [--runs 5]

Targets: at most 1/25 of the time and 1/12 of the peak memory of `keras.applications.X(weights=None).summary()`;
at most 0.5 s of CPU time to check the eight pages that the project began with. Medians; the two take turns.
"""

from __future__ import annotations

import argparse
import sys

from processes import cost, median, summarize

NETWORKS = {"vgg:E": "VGG19", "resnet:152": "ResNet152"}
PAGES = ("alexnet", "conv1d", "lenet", "mlp", "resnet", "resnet-cifar", "resnet-digits", "vgg")
MOST_SECONDS = 0.5


def check(runs: int) -> bool:
    """Print the cost of checking the pages; whether the target is met."""
    found = median([cost("-m", "archspec", "check", *PAGES) for _ in range(runs)])
    print(f"archspec check, {len(PAGES)} pages: {found.cpu:.2f} s of CPU time")
    return found.cpu <= MOST_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description="Summarize and check, as whole processes.")
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    met = [summarize(reference, function, runs) for reference, function in NETWORKS.items()]
    met.append(check(runs))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
