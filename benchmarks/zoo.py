"""Summaries of the largest shipped networks compared with keras.applications, and `archspec check` of all specs.

    python benchmarks/zoo.py [--runs 5]

Targets: `archspec summarize` takes at most 1/25 of the time and 1/12 of the peak memory of `keras.applications.X(
weights=None).summary()`; `archspec check` of all shipped specs at most 1.5 s of CPU time. Whole processes; medians of
alternating runs. CPU time varies less than wall-clock time on a busy machine.
"""

from __future__ import annotations

import sys

from processes import main

from archspec import api

NETWORKS = {"nasnet:large": "NASNetLarge", "efficientnet:b7": "EfficientNetB7"}

if __name__ == "__main__":
    sys.exit(main(NETWORKS, api.families(), most_seconds=1.5))
