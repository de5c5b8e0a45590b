"""`archspec summarize` compared with keras.applications, and `archspec check` of eight specs, as whole processes.

    python benchmarks/summarize.py [--runs 5]

Targets: at most 1/25 of the time and 1/12 of the peak memory of `keras.applications.X(weights=None).summary()`;
at most 0.5 s of CPU time to check the eight specs that the project began with. Medians of alternating runs.
"""

from __future__ import annotations

import sys

from processes import main

NETWORKS = {"vgg:E": "VGG19", "resnet:152": "ResNet152"}
PAGES = ("alexnet", "conv1d", "lenet", "mlp", "resnet", "resnet-cifar", "resnet-digits", "vgg")

if __name__ == "__main__":
    sys.exit(main(NETWORKS, PAGES, most_seconds=0.5))
