"""Measures inference on this machine: images per second of a network, and the peaks that bound it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from archspec.graph.analysis.inference_roofline import inference_seconds
from archspec.graph.ir import Graph

SECONDS = 1.0
"""How long each measurement repeats at least."""
LEAST = 3
"""Repetitions at least, after one that compiles."""
MATRIX = 1536
"""Side of the matrices of the arithmetic peak."""
BLOCK = 64 * 2**20
"""Bytes of the array of the memory peak: more than the caches hold."""


@dataclass(frozen=True)
class MachinePeaks:
    """What this machine reaches in float32 with TensorFlow: the slopes of its roofline."""

    flops: float
    """FLOP/s of the product of two matrices."""
    bandwidth: float
    """Bytes/s of reading and writing a large array."""
    device: str
    """`CPU` or `GPU`."""

    def best(self, other: MachinePeaks) -> MachinePeaks:
        """The higher of two measurements of each peak."""
        return MachinePeaks(max(self.flops, other.flops), max(self.bandwidth, other.bandwidth), self.device)

    def images_per_second(self, graph: Graph, images: int) -> float | None:
        """The most images per second in batches of `images`; None if a size is free."""
        seconds = inference_seconds(graph, images, self.flops, self.bandwidth)
        return images / seconds if seconds else None


def machine_peaks() -> MachinePeaks:
    """Measure the peaks in a second."""
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    matrix = tf.random.normal((MATRIX, MATRIX))
    array = tf.zeros((BLOCK // 4,))
    product = min(_times(tf, lambda: tf.linalg.matmul(matrix, matrix), SECONDS / 2))
    copy = min(_times(tf, lambda: array + 1.0, SECONDS / 2))
    device = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return MachinePeaks(2 * MATRIX**3 / product, 2 * BLOCK / copy, device)


def images_per_second(graph: Graph, batch_sizes: Sequence[int]) -> list[float]:
    """The speed of the network with random weights, for each batch size; the median of repetitions of a second."""
    from archspec.runtime.models.build import build_model
    from archspec.runtime.system.tensorflow_import import import_tensorflow

    tf = import_tensorflow()
    model = build_model(graph)
    forward = tf.function(lambda images: model(images, training=False))
    found = []
    for size in batch_sizes:
        inputs = [tf.random.normal((size, *node.shape)) for node in graph.inputs]
        images = inputs if len(inputs) > 1 else inputs[0]
        seconds = sorted(_times(tf, partial(forward, images), SECONDS))
        found.append(size / seconds[len(seconds) // 2])
    return found


def _times(tf: Any, run: Callable[[], Any], least: float) -> list[float]:
    """Seconds of each repetition, `least` seconds in all or more, after one that compiles."""
    _wait(tf, run())
    times: list[float] = []
    while len(times) < LEAST or sum(times) < least:
        start = time.perf_counter()
        _wait(tf, run())
        times.append(time.perf_counter() - start)
    return times


def _wait(tf: Any, output: Any) -> None:
    """Read one value, so that an asynchronous device has to finish."""
    for each in tf.nest.flatten(output):
        tf.reshape(each, (-1,))[0].numpy()
