"""Time of a training step of resnet:50 at 64 pixels, compared with the same network written by hand in Keras.

    python benchmarks/train_step.py [--steps 15] [--batch-size 16]

Target: ratio of the medians at most 1.03. Both use `train_on_batch`, in alternating steps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any

from archspec.runtime.system.tensorflow_import import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers  # noqa: E402

import archspec  # noqa: E402

MOST = 1.03


def by_hand() -> Any:
    """ResNet-50 (He et al. 2016, Table 1) in plain Keras: no biases, the stride in the first 1x1."""

    def conv_bn(x: Any, filters: int, kernel_size: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, kernel_size, strides=strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = inputs = keras.Input((64, 64, 3))
    x = layers.ZeroPadding2D(3)(x)
    x = layers.BatchNormalization()(layers.Conv2D(64, 7, strides=2, use_bias=False)(x))
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for filters, units in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for unit in range(units):
            strides = 2 if unit == 0 and filters > 64 else 1
            shortcut = conv_bn(x, 4 * filters, 1, strides) if unit == 0 else x
            x = layers.ReLU()(conv_bn(x, filters, 1, strides))
            x = layers.ReLU()(conv_bn(x, filters, 3))
            x = layers.ReLU()(layers.Add()([shortcut, conv_bn(x, 4 * filters, 1)]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(1000, activation="softmax")(x))


def main() -> int:
    parser = argparse.ArgumentParser(description="A training step.")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    models = [archspec.build("resnet:50", input=[64, 64, 3]), by_hand()]
    sizes = {model.count_params() for model in models}
    if len(sizes) != 1:
        raise RuntimeError(f"the two networks differ: {sizes}")
    generator = np.random.default_rng(0)
    x = generator.normal(size=(options.batch_size, 64, 64, 3)).astype("float32")
    y = generator.integers(0, 1000, options.batch_size)
    for model in models:
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy")
        for _ in range(3):
            model.train_on_batch(x, y)
    times: list[list[float]] = [[], []]
    for step in range(options.steps):
        for which in (0, 1) if step % 2 else (1, 0):
            start = time.perf_counter()
            models[which].train_on_batch(x, y)
            times[which].append(time.perf_counter() - start)
    ours, theirs = map(statistics.median, times)
    print(f"resnet:50 at 64 px, batch {options.batch_size}, median of {options.steps} steps:")
    print(f"archspec {1000 * ours:.0f} ms, by hand {1000 * theirs:.0f} ms, ratio {ours / theirs:.3f}")
    return 0 if ours / theirs <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
