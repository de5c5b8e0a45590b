"""Images per second of each explanation method beside the forward pass, and beside captum.

    TORCH_PYTHON=/path/to/python python benchmarks/explain.py [--network resnet:50] [--side 224] [--images 8]
        [--rounds 3]

All methods explain the same images of noise with random weights, after a first call that compiles. The rounds go
through all methods one after the other, and the times are medians, in seconds of CPU: on a shared machine they are more
reliable than wall time. `passes` is the time of an image, as a multiple of the forward pass of this run. Integrated
gradients take 16 points of the path; occlusion moves a square of a seventh of the image by its own side. With
TORCH_PYTHON, which names an interpreter with torch, torchvision and captum, the last column is captum's number of
forward passes for the same method on torchvision's resnet50 (`torch_explain.py`).

Claims: Grad-CAM takes at most 3 forward passes, 5 classes at most 1.5 times as long as one, and a position of occlusion
at most 1 / 0.9 of a forward pass. The exit status is 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import archspec
from archspec.runtime.explain.explainer import find_method
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.explain.methods.occlusion import corners
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.models.metadata import Metadata

POINTS = 16
"""Of the path of integrated gradients."""


def runs(network: OpenNetwork, x: Any, side: int) -> dict[str, tuple[Callable[[], Any], int]]:
    """Method -> a function that explains some images, and how many images those are."""
    square = round(side / 7)
    tops, lefts = corners((side, side), square, square)
    few = x[:1]

    def method(name: str, images: Any, **settings: Any) -> tuple[Callable[[], Any], int]:
        made = find_method(name, {"classes": ["top-1"], **settings} if name != "deconvnet" else settings)
        batch = ImageBatch(tuple(map(str, range(len(images)))), (None,) * len(images), images.astype(np.uint8), images)
        return lambda: made.explain_batch(network, batch), len(images)

    return {
        "forward pass": (lambda: network.predict(x), len(x)),
        "gradcam": method("gradcam", x),
        "gradcam, 5 classes": method("gradcam", x, classes=["top-5"]),
        "saliency": method("saliency", x),
        "guided-backprop": method("guided-backprop", x),
        "deconvnet, 1 channel": method("deconvnet", x, count=1),
        "integrated-gradients": method("integrated-gradients", few, steps=POINTS, max_steps=POINTS),
        f"occlusion, {len(tops) * len(lefts)} positions": method("occlusion", few, size=square, stride=square),
    }


def seconds(run: Callable[[], Any]) -> float:
    """Of CPU, over all threads."""
    started = time.process_time()
    run()
    return time.process_time() - started


def captum(side: int, images: int, rounds: int) -> dict[str, float]:
    """Method -> forward passes that captum takes; empty without TORCH_PYTHON."""
    python = os.environ.get("TORCH_PYTHON")
    if not python:
        return {}
    script = str(Path(__file__).with_name("torch_explain.py"))
    done = subprocess.run([python, script, str(side), str(images), str(rounds)], capture_output=True, text=True)
    if done.returncode:
        print(f"captum: {done.stderr.strip().splitlines()[-1]}")
        return {}
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet:50")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    model = archspec.build(given.network, input=[given.side, given.side, 3])
    network = OpenNetwork(model, Metadata(), tuple(map(str, range(model.output_shape[-1]))))
    network.batch_size = given.images
    shape = (given.images, given.side, given.side, 3)
    x = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    methods = runs(network, x, given.side)
    for run, _ in methods.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(given.rounds):
        for name, (run, images) in methods.items():
            times[name].append(seconds(run) / images)
    medians = {name: statistics.median(each) for name, each in times.items()}
    forward = medians["forward pass"]
    passes = {name: each / forward for name, each in medians.items()}
    peer = captum(given.side, given.images, given.rounds)
    print(f"{given.network} at {given.side} pixels, {given.images} images, medians of {given.rounds} rounds")
    print(f"{'method':28} {'images/CPU s':>12} {'passes':>8} {'captum':>8}")
    for name, each in medians.items():
        other = f"{peer[name]:8.1f}" if name in peer else ""
        print(f"{name:28} {1 / each:12.2f} {passes[name]:8.1f} {other}")
    occlusion = next(name for name in passes if name.startswith("occlusion"))
    positions = int(occlusion.split()[1])
    claims = {
        "Grad-CAM takes at most 3 forward passes": passes["gradcam"] <= 3,
        "5 classes take at most 1.5 times as long": passes["gradcam, 5 classes"] <= 1.5 * passes["gradcam"],
        "a position of occlusion takes at most 1 / 0.9 of a forward pass": passes[occlusion] / positions <= 1 / 0.9,
    }
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'does not hold'}: {claim}")
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
