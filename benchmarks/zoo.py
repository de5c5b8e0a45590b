"""The largest networks of the zoo summarized, beside keras.applications; and all pages checked. Whole processes.

    python benchmarks/zoo.py [--runs 3]

Targets: `archspec summarize` takes at most 1/25 of the time and 1/12 of the peak memory of `keras.applications.X(
weights=None).summary()`; `archspec check` of all shipped pages at most 1.5 s of CPU time. Medians; the two take turns.
CPU time is the robust figure on a machine that does other things.
"""

from __future__ import annotations

import argparse
import sys

from processes import cost, median, summarize

from archspec import api

NETWORKS = {"nasnet:large": "NASNetLarge", "efficientnet:b7": "EfficientNetB7"}
MOST_SECONDS = 1.5


def check(runs: int) -> bool:
    """Print the cost of checking all pages; whether the target is met."""
    pages = api.families()
    found = median([cost("-m", "archspec", "check", *pages) for _ in range(runs)])
    networks = sum(1 for page in pages for _ in api.networks(page))
    print(f"archspec check, {len(pages)} pages, {networks} networks: {found.cpu:.2f} s of CPU time")
    return found.cpu <= MOST_SECONDS


def main() -> int:
    parser = argparse.ArgumentParser(description="Summarize the largest networks, check all pages.")
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    met = [summarize(reference, function, runs) for reference, function in NETWORKS.items()]
    met.append(check(runs))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
