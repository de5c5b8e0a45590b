"""Training in memory for experiments that look inside a network at each epoch, or train a small one many times.

Everything else is trained by `LabContext.train`, which writes a run directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.graph.ir import Graph

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class LabelledArrays:
    """Images (N, H, W, C), standardized, and their labels (N,)."""

    x: Array
    y: Labels


@dataclass(frozen=True)
class SgdSettings:
    """Plain SGD with momentum and L2 weight decay: v = momentum v + gradient + decay w; w = w - learning_rate v."""

    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    """Of all weights but biases."""
    flip: bool = False
    """Flip half of the images from left to right."""
    shift: int = 0
    """Move each image by up to this many pixels, with zeros from outside."""


class MemoryTrainer:
    """Trains one network from new weights as often as needed; its step is compiled once.

    Args:
        graph: a classifier that ends in softmax.
        batch_size: images in a step; the images of an incomplete last batch wait for the next epoch.
    """

    def __init__(self, graph: Graph, batch_size: int) -> None:
        from archspec.runtime.models.build import build_model
        from archspec.runtime.system.tensorflow_import import import_tensorflow

        tf = self.tf = import_tensorflow()
        self.graph, self.batch_size = graph, batch_size
        self.model = build_model(graph)
        self.weights = [each.value for each in self.model.trainable_weights]
        self.decayed = [each.path.endswith("kernel") for each in self.model.trainable_weights]
        self.velocity = [tf.Variable(tf.zeros_like(each)) for each in self.weights]
        self._step = tf.function(self._train_step, autograph=False, reduce_retracing=True)
        self._forward = tf.function(lambda x: self.model(x, training=False), autograph=False, reduce_retracing=True)

    def start(self, seed: int) -> None:
        """Draw new weights."""
        import keras

        from archspec.runtime.models.build import build_model

        keras.utils.set_random_seed(seed)
        self.model.set_weights(build_model(self.graph).get_weights())
        for each in self.velocity:
            each.assign(self.tf.zeros_like(each))

    def epoch(self, x: Array, y: Labels, settings: SgdSettings, random: np.random.Generator) -> tuple[float, float]:
        """Train on all images once, in random order. Returns the mean loss (nats) and accuracy during the epoch."""
        tf, size = self.tf, min(self.batch_size, len(x))
        order = random.permutation(len(x))
        numbers = [
            tf.constant(each, tf.float32) for each in (settings.learning_rate, settings.momentum, settings.weight_decay)
        ]
        found = []
        for start in range(0, len(x) - size + 1, size):
            rows = order[start : start + size]
            images = augmented(x[rows], settings, random)
            found.append(self._step(images, y[rows], *numbers))
        loss, accuracy = np.mean([[float(each) for each in pair] for pair in found], axis=0)
        return float(loss), float(accuracy)

    def _train_step(self, x: Any, y: Any, rate: Any, momentum: Any, decay: Any) -> tuple[Any, Any]:
        tf = self.tf
        with tf.GradientTape() as tape:
            probabilities = self.model(x, training=True)
            loss = tf.reduce_mean(cross_entropy(tf, probabilities, y))
        gradients = tape.gradient(loss, self.weights)
        for weight, gradient, velocity, decayed in zip(
            self.weights, gradients, self.velocity, self.decayed, strict=True
        ):
            velocity.assign(momentum * velocity + gradient + (decay * weight if decayed else 0.0))
            weight.assign_sub(rate * velocity)
        correct = tf.argmax(probabilities, axis=1, output_type=tf.int32) == tf.cast(y, tf.int32)
        return loss, tf.reduce_mean(tf.cast(correct, tf.float32))

    def predict(self, x: Array) -> Array:
        """Probabilities (N, classes)."""
        parts = [self._forward(x[start : start + 500]).numpy() for start in range(0, len(x), 500)]
        return np.concatenate(parts)


def standardized(x: npt.NDArray[Any], y: Labels) -> LabelledArrays:
    """Images with a mean of 0 and a deviation of 1 over all pixels."""
    values = x.astype(np.float32)
    return LabelledArrays((values - values.mean()) / values.std(), y)


def cross_entropy(tf: Any, probabilities: Any, y: Any) -> Any:
    """Of each image (N,), in nats. Keras keeps the logits of a softmax, so that this is exact for small ones too."""
    import keras

    return keras.ops.sparse_categorical_crossentropy(y, probabilities)


def augmented(x: Array, settings: SgdSettings, random: np.random.Generator) -> Array:
    """Images (N, H, W, C), each flipped and moved by its own random draw."""
    if settings.flip:
        x = np.where(random.random(len(x))[:, None, None, None] < 0.5, x[:, :, ::-1], x)
    reach = settings.shift
    if reach:
        height, width = x.shape[1:3]
        padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
        tops, lefts = random.integers(0, 2 * reach + 1, (2, len(x)))
        rows = (tops[:, None] + np.arange(height))[:, :, None]
        columns = (lefts[:, None] + np.arange(width))[:, None, :]
        x = padded[np.arange(len(x))[:, None, None], rows, columns]
    return x
