"""Images per second of the dense evaluation of VGG-A with the mirror image, compared with 50 crops, at 384 pixels.

    python benchmarks/dense_evaluation.py [--reference vgg:A] [--size 384] [--runs 3]

Target: at least 6 times as many images per second; the MACs that `archspec summarize` counts differ by a factor of
7.2. Both batches have about as many pixels: 50 crops of one image, or 8 images and their mirror images. Only the
network is timed, compiled, in float32. Medians of alternating runs, of wall-clock time and of CPU time, which other
programs disturb less.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from archspec.runtime.system.tensorflow_import import import_tensorflow

tf = import_tensorflow()

import archspec  # noqa: E402
from archspec.graph.compile.inference import at_size  # noqa: E402
from archspec.graph.rewrite.fully_convolutional import convolutionalize as dense_graph  # noqa: E402

GRID = 5
TARGET = 6.0


def compiled(model: Any) -> Callable[[Any], Any]:
    return tf.function(  # type: ignore[no-any-return]
        lambda images: model(images, training=False),
        autograph=False,
        input_signature=[tf.TensorSpec(model.inputs[0].shape, tf.float32)],
    )


def crops(image: Any, side: int) -> Any:
    """(Q, Q, 3) -> (50, side, side, 3): a regular grid of 5 x 5 crops, and their mirror images."""
    starts = np.linspace(0, image.shape[0] - side, GRID).round().astype(int)
    cut = np.stack([image[i : i + side, j : j + side] for i in starts for j in starts])
    return np.concatenate([cut, cut[:, :, ::-1]])


def main() -> int:
    parser = argparse.ArgumentParser(description="Dense evaluation beside 50 crops.")
    parser.add_argument("--reference", default="vgg:A")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    graph = archspec.load(given.reference).graph()
    side = graph.input_shape[0] or 0
    sized = at_size(dense_graph(graph, output="softmax_of_mean"), (given.size, given.size, 3))
    predicted = 2 * GRID**2 * (graph.macs or 0) / (2 * (sized.macs or 1))

    model = archspec.build(given.reference)
    dense = archspec.convolutionalize(model, graph=graph, output="softmax_of_mean")
    on_crops, on_image = compiled(model), compiled(dense)
    count = max(1, 2 * GRID**2 * side**2 // (2 * given.size**2))
    images = np.random.default_rng(0).normal(0, 60, (count, given.size, given.size, 3)).astype("float32")
    batches = {"dense": (on_image, np.concatenate([images, images[:, :, ::-1]]), count)}
    batches["50 crops"] = (on_crops, crops(images[0], side), 1)
    clock: dict[str, list[float]] = {name: [] for name in batches}
    processor: dict[str, list[float]] = {name: [] for name in batches}
    for turn in range(given.runs + 1):
        for name, (run, batch, of) in batches.items():
            start, used = time.perf_counter(), time.process_time()
            np.asarray(run(tf.constant(batch))).mean(axis=0)
            if turn:  # the first one compiles
                clock[name].append((time.perf_counter() - start) / of)
                processor[name].append((time.process_time() - used) / of)
    for name in batches:
        seconds, cpu = statistics.median(clock[name]), statistics.median(processor[name])
        rate = f"{1 / seconds:6.3f} images/s, {cpu:6.2f} s of processor time an image"
        print(f"{given.reference} at {given.size}, {name:9} {rate}")
    ratios = [statistics.median(each["50 crops"]) / statistics.median(each["dense"]) for each in (clock, processor)]
    print(f"ratio by the MACs of `archspec summarize` {predicted:.2f}, target {TARGET}")
    print(f"ratio measured {ratios[0]:.2f} in images/s, {ratios[1]:.2f} in processor time")
    return 0 if ratios[0] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
