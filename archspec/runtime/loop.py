"""The training loop and the counting loop, exact with any number of replicas and any size of the last batch.

The loss of a step is the mean over the global batch: each replica sums its own examples' losses and divides by the
number in the whole batch, and gradients are summed over replicas. Keras's `fit` takes the mean of the replicas' means,
which is another number when a batch does not divide evenly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from archspec.declare import Declared
from archspec.lang.recipe import Recipe
from archspec.runtime.classifier import cross_entropy, ranks
from archspec.runtime.strategy import replicas_in_step


@dataclass(frozen=True)
class Score:
    """Sums over the examples seen so far: cross-entropy in nats, how many were right at the first and first five."""

    examples: float = 0.0
    loss_sum: float = 0.0
    top1_count: float = 0.0
    top5_count: float = 0.0

    def __add__(self, other: Score) -> Score:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Score(*(mine + its for mine, its in pairs))

    @classmethod
    def of(cls, vector: Any) -> Score:
        """From what a step returns: float (4,)."""
        return cls(*map(float, np.asarray(vector)))

    @property
    def loss(self) -> float:
        """Mean cross-entropy, nats an example."""
        return self.loss_sum / self.examples if self.examples else float("nan")

    @property
    def top1(self) -> float:
        """Share of examples whose first class is the true one, 0 to 1."""
        return self.top1_count / self.examples if self.examples else float("nan")

    @property
    def top5(self) -> float:
        """Share of examples whose true class is among the first five, 0 to 1."""
        return self.top5_count / self.examples if self.examples else float("nan")


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate of one step, counted from 0 over all epochs."""
    factor = recipe.schedule.factor(  # type: ignore[attr-defined]
        step / (recipe.epochs * steps_per_epoch), step / steps_per_epoch
    )
    return float(recipe.optimizer.learning_rate * factor)  # type: ignore[attr-defined]


def make_optimizer(declared: Declared) -> Any:
    """The Keras optimizer of that declaration, whose arguments are Keras's own."""
    import keras

    kinds = {"sgd": keras.optimizers.SGD}
    return kinds[declared.name](**dataclasses.asdict(declared))  # type: ignore[call-overload]


def decayed(variables: list[Any]) -> list[bool]:
    """Which variables weight decay holds down: kernels, not biases and not normalization."""
    return [variable.name.endswith("kernel") for variable in variables]


def replica_batches(strategy: Any, batches: Any) -> Any:
    """Split each global batch (x, y) over the replicas: (x, y, examples, copies), `examples` the global number.

    A batch with fewer examples than replicas goes to each of them whole: its mean and its moments stay what they are,
    and no replica sees an empty batch (on a CPU a convolution of no examples has the wrong shape). `copies` then says
    how often each example is counted; else it is 1.
    """
    import tensorflow as tf

    replicas: int = strategy.num_replicas_in_sync

    def split(x: Any, y: Any) -> Any:
        examples = tf.shape(y)[0]
        few = examples < replicas

        def part(replica: Any) -> Any:
            start = tf.where(few, 0, examples * replica // replicas)
            stop = tf.where(few, examples, examples * (replica + 1) // replicas)
            copies = tf.where(few, float(replicas), 1.0)
            return x[start:stop], y[start:stop], tf.cast(examples, tf.float32), copies

        return tf.data.Dataset.range(replicas, output_type=tf.int32).map(part)

    def whole(x: Any, y: Any) -> Any:
        return x, y, tf.cast(tf.shape(y)[0], tf.float32), 1.0

    parts = batches.map(whole) if replicas == 1 else batches.flat_map(split)
    return strategy.distribute_datasets_from_function(lambda _: parts.prefetch(2 * replicas))


def make_train_step(
    strategy: Any, model: Any, logits_model: Any, optimizer: Any, recipe: Recipe
) -> Callable[[Any, Any], Any]:
    """`step(iterator, learning_rate)` takes one global batch and returns the vector of its Score.

    g = mean over the batch of d loss / d w, plus weight_decay * w for kernels (coupled: it passes through the
    momentum, Krizhevsky et al. 2012, section 5); then the optimizer's update.
    """
    import tensorflow as tf

    replicas: int = strategy.num_replicas_in_sync
    variables = model.trainable_variables
    decays = decayed(variables)

    def replica_step(x: Any, y: Any, examples: Any, copies: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.cast(logits_model(x, training=True), tf.float32)
            losses = cross_entropy(tf, logits, y, recipe.label_smoothing)
            loss = tf.reduce_sum(losses) / (examples * copies)
        gradients = tape.gradient(loss, variables)
        if recipe.weight_decay:
            # each replica adds its share, because the optimizer sums over replicas
            share = recipe.weight_decay / replicas
            gradients = [
                gradient + tf.cast(share, gradient.dtype) * tf.cast(variable.value, gradient.dtype)
                if decay
                else gradient
                for gradient, variable, decay in zip(gradients, variables, decays, strict=True)
            ]
        optimizer.apply(gradients, variables)
        return _score(tf, logits, y, losses, copies)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(iterator: Any, rate: Any) -> Any:
        optimizer.learning_rate.assign(rate)
        with replicas_in_step(model, replicas):  # runs while the graph is traced
            scores = strategy.run(replica_step, args=next(iterator))
        return strategy.reduce("SUM", scores, axis=None)

    return lambda iterator, rate: step(iterator, tf.constant(rate, tf.float32))


def make_count_step(strategy: Any, logits_model: Any, *, confusion: bool = False) -> Callable[[Any], Any]:
    """`step(iterator)` evaluates one global batch: the vector of its Score and, if asked, its confusion matrix.

    That is float32 (classes, classes), to be rounded: the row is the true class, the column the predicted one.
    """
    import tensorflow as tf

    classes: int = logits_model.outputs[0].shape[-1]

    def replica_step(x: Any, y: Any, examples: Any, copies: Any) -> Any:
        logits = tf.cast(logits_model(x, training=False), tf.float32)
        score = _score(tf, logits, y, cross_entropy(tf, logits, y), copies)
        if not confusion:
            return score, tf.zeros(())
        first = tf.argmax(logits, axis=-1, output_type=y.dtype)
        return score, tf.math.confusion_matrix(y, first, classes, dtype=tf.float32) / copies

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def step(iterator: Any) -> Any:
        score, table = strategy.run(replica_step, args=next(iterator))
        return strategy.reduce("SUM", score, axis=None), strategy.reduce("SUM", table, axis=None)

    return step  # type: ignore[no-any-return]


def _score(tf: Any, logits: Any, labels: Any, losses: Any, copies: Any) -> Any:
    """The vector of a Score, float32 (4,), each example counted once over all the replicas that see it."""
    rank = ranks(tf, logits, labels)
    counts = [tf.ones_like(losses), losses, tf.cast(rank < 1, tf.float32), tf.cast(rank < 5, tf.float32)]
    return tf.stack([tf.reduce_sum(count) for count in counts]) / copies
