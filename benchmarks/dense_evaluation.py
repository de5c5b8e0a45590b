"""Dense evaluation of VGG-A with the mirror image, beside 50 crops, on images of 384 pixels.

    python benchmarks/dense_evaluation.py [--reference vgg:A] [--size 384] [--images 3]

Target: at least 6 times as many images a second. The multiply-accumulates, as `archspec summarize` counts them, say
7.2. Each protocol runs one image after the other, the two in turn, as compiled functions of float32; what is timed is
the network alone, after one image of each that is not. Medians.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from archspec.runtime.quiet import import_tensorflow

tf = import_tensorflow()

import archspec  # noqa: E402
from archspec.graph.again import at_size  # noqa: E402
from archspec.graph.convolutionalize import convolutionalize as dense_graph  # noqa: E402

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
    parser.add_argument("--images", type=int, default=3)
    given = parser.parse_args()
    graph = archspec.load(given.reference).graph()
    side = graph.input_shape[0] or 0
    sized = at_size(dense_graph(graph, output="softmax_of_mean"), (given.size, given.size, 3))
    predicted = 2 * GRID**2 * (graph.macs or 0) / (2 * (sized.macs or 1))

    model = archspec.build(given.reference)
    dense = archspec.convolutionalize(model, graph=graph, output="softmax_of_mean")
    on_crops, on_image = compiled(model), compiled(dense)
    images = np.random.default_rng(0).normal(0, 60, (given.images + 1, given.size, given.size, 3)).astype("float32")
    times: dict[str, list[float]] = {"50 crops": [], "dense": []}
    for image in images:
        both = np.stack([image, image[:, ::-1]])
        batch = crops(image, side)
        for name, run, batch_ in (("dense", on_image, both), ("50 crops", on_crops, batch)):
            start = time.perf_counter()
            np.asarray(run(tf.constant(batch_))).mean(axis=0)
            times[name].append(time.perf_counter() - start)
    median = {name: statistics.median(each[1:]) for name, each in times.items()}
    for name, seconds in median.items():
        print(f"{given.reference} at {given.size}, {name:9} {1 / seconds:6.3f} images/s, {seconds:6.2f} s an image")
    measured = median["50 crops"] / median["dense"]
    print(f"ratio measured {measured:.2f}, by the MACs of `archspec summarize` {predicted:.2f}, target {TARGET}")
    return 0 if measured >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
