"""The largest networks of the zoo summarized, beside keras.applications; and all pages checked. Whole processes.

    python benchmarks/zoo.py [--runs 5]

Targets: `archspec summarize` takes at most 1/25 of the time and 1/12 of the peak memory of `keras.applications.X(
weights=None).summary()`; `archspec check` of all shipped pages at most 1.5 s of CPU time. Medians; the two take turns.
CPU time is the robust figure on a machine that does other things.
"""

from __future__ import annotations

import sys

from processes import main

from archspec import api

NETWORKS = {"nasnet:large": "NASNetLarge", "efficientnet:b7": "EfficientNetB7"}

if __name__ == "__main__":
    sys.exit(main(NETWORKS, api.families(), most_seconds=1.5))
