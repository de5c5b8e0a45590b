"""One step of training: the same update of the weights on any number of replicas and with any size of the last batch.

The loss of a step is the mean over the global batch: each replica sums its own examples' losses and divides by the
number in the whole batch, and gradients are summed over replicas. (Keras's `fit` takes the mean of the replicas' means,
which differs if a batch does not divide evenly.) Clipping, accumulation, loss scaling and EMA come after that sum, so
that they use the gradient of the whole batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.strategy import replicas_in_step
from archspec.runtime.models.classifier import scores_models, targets_of_model
from archspec.runtime.models.fast.depthwise_conv import speed_up_depthwise_gradients
from archspec.runtime.models.fast.unaligned_batch_norm import speed_up_unaligned_batch_normalization
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.metrics import target_sums
from archspec.runtime.system.processor import x86_onednn
from archspec.runtime.training.optimization.losses import one_hot, output_losses
from archspec.runtime.training.optimization.optimizer import Ema, LossScale, decayed, make_optimizer
from archspec.runtime.training.replica_batches import next_of_replicas
from archspec.runtime.weights.freeze import RateFactors
from archspec.targets import OutputTargets


class TrainStep:
    """The train step of a model: `step(iterator, learning_rate, update)`.

    Args:
        strategy: of `make_strategy`; the model was built in its scope.
        model: a classifier, perhaps with auxiliary classifiers, or a network with several targets.
        recipe: loss, optimizer and weight decay.
        targets: of the outputs; by default one class for each image.
        loss_weights: of the model's outputs, the main one first.
        class_weight: factor of the loss of an image of each class, float (classes,).
        rate_factors: factor of the learning rate of each trainable variable.
    """

    def __init__(
        self,
        strategy: Any,
        model: Any,
        recipe: Recipe,
        *,
        loss_weights: Sequence[float] = (1.0,),
        class_weight: Any = None,
        rate_factors: Sequence[float] | None = None,
        targets: OutputTargets | None = None,
    ) -> None:
        import tensorflow as tf

        self.strategy, self.model, self.recipe = strategy, model, recipe
        self._trained = model.trainable_variables
        if x86_onednn():
            speed_up_depthwise_gradients(model)
            speed_up_unaligned_batch_normalization(model)
        self._targets = targets or targets_of_model(model, Metadata())
        self._class_weight = None if class_weight is None else np.asarray(class_weight, np.float32)
        with strategy.scope():
            heads = scores_models(model, self._targets)
            losses = output_losses(recipe, self._targets, len(heads), training=True)
            # an output without weight is computed only for its metrics
            kept = [number for number, weight in enumerate(loss_weights) if weight or len(self._targets) > 1]
            self._weights = [loss_weights[number] for number in kept]
            self._losses = [losses[number] for number in kept]
            self._logits = heads[0] if len(kept) == 1 else _together(model, [heads[number] for number in kept])
            self.optimizer = make_optimizer(recipe.optimizer, self._trained, recipe.decayed)
            self._sums = GradientSums(self._trained) if recipe.accumulated > 1 else None
            self._ema = Ema(strategy, model, recipe.optimizer) if recipe.optimizer.use_ema else None
            self._scale = LossScale(recipe)
        self._rates = RateFactors(strategy, self._trained, rate_factors or [1.0] * len(self._trained))
        with tf.device("/cpu:0"):
            self._timed = _has_clock()
            self.waited = tf.Variable(0.0 if self._timed else float("nan"), trainable=False, dtype=tf.float64)
            """Seconds that steps have waited for their batches; NaN with `--deterministic`, which has no clock."""
        self._step = tf.function(self._traced, autograph=False)

    def __call__(self, iterator: Any, learning_rate: float, update: bool = True) -> Any:
        """Train on the next global batch of `replica_batches`. Returns its `metric_sums` of the minimized loss.

        Args:
            learning_rate: of the update.
            update: whether to update the weights now, by the gradients of all batches since the last update.
        """
        import tensorflow as tf

        return self._step(iterator, tf.constant(learning_rate, tf.float32), tf.constant(update))

    def variables(self) -> list[Any]:
        """Every variable that a step reads or changes: of the model, the optimizer, accumulation, EMA and scale."""
        own = [part.variables for part in (self._sums, self._ema, self._scale) if part is not None]
        return [*self.model.variables, *self.optimizer.variables, *(each for part in own for each in part)]

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """The model has the EMA of its weights inside the context, if the recipe uses one.

        Validate and save the network inside; save checkpoints outside.
        """
        if self._ema is None:
            yield
            return
        self._ema.swap()
        try:
            yield
        finally:
            self._ema.swap()

    # ---- the graph -----------------------------------------------------------------------------------------------

    def _traced(self, iterator: Any, rate: Any, update: Any) -> Any:
        import tensorflow as tf

        strategy = self.strategy
        self.optimizer.learning_rate.assign(rate)
        with replicas_in_step(self.model, strategy.num_replicas_in_sync):  # runs while the graph is traced
            gradients, examples, scores = strategy.run(self._replica, args=self._next(iterator))
        if self._sums is None:
            self._updated(gradients, None)
        else:
            self._sums.add(strategy, gradients, strategy.experimental_local_results(examples)[0])
            tf.cond(update, self._accumulated, lambda: None)
        return strategy.reduce("SUM", scores, axis=None)

    def _next(self, iterator: Any) -> Any:
        """The next batch. The time that it takes is measured inside the graph, where nothing else is waited for."""
        import tensorflow as tf

        if not self._timed:
            return next_of_replicas(self.strategy, iterator)
        before = tf.timestamp()
        with tf.control_dependencies([before]):
            batch = next_of_replicas(self.strategy, iterator)
        parts = [local for each in batch for local in self.strategy.experimental_local_results(each)]
        with tf.control_dependencies(parts):
            self.waited.assign_add(tf.timestamp() - before)
        return batch

    def _accumulated(self) -> None:
        assert self._sums is not None
        self._updated(self._sums.gradients, self._sums.examples)
        self._sums.clear(self.strategy)

    def _replica(self, x: Any, y: Any, examples: Any, copies: Any) -> Any:
        """The all-reduced gradients of the global batch; with accumulation, times its number of examples."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            outputs = self._logits(x, training=True)
            every = [tf.cast(each, tf.float32) for each in (outputs if isinstance(outputs, list) else [outputs])]
            labels = self._targets.split(tf, y) if len(self._targets) > 1 else [y] * len(every)
            losses = tf.add_n(
                [
                    weight * loss(scores, own)
                    for weight, loss, scores, own in zip(self._weights, self._losses, every, labels, strict=True)
                ]
            )
            if self._class_weight is not None:
                losses *= self._factors(tf, y, every[0].shape[-1])
            loss = self._scale.scaled(tf.reduce_sum(losses) / (examples * copies))
        gradients = tape.gradient(loss, self._trained, unconnected_gradients="zero")
        gradients = [tf.convert_to_tensor(each) for each in gradients]
        if self._sums or self._scale.used:
            factor = self._scale.inverse() * (examples if self._sums else 1.0)
            gradients = [each * tf.cast(factor, each.dtype) for each in gradients]
        if self.strategy.num_replicas_in_sync > 1:
            gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        return (
            gradients,
            examples,
            target_sums(tf, self._targets, every[: len(self._targets)], y, losses, copies, running=True),
        )

    def _factors(self, tf: Any, y: Any, units: int) -> Any:
        """The factor of the loss of each image, by its class: float32 (B,)."""
        if units == 1:  # of two classes, y is the share of the second one
            assert self._class_weight is not None
            first, second = map(float, self._class_weight)
            return first * (1 - y[:, 0]) + second * y[:, 0]
        return tf.linalg.matvec(one_hot(tf, y, units), tf.constant(self._class_weight))

    def _updated(self, gradients: Sequence[Any], examples: Any) -> None:
        """Update the weights by gradients summed over replicas; with a dynamic loss scale only if they are finite."""
        import tensorflow as tf

        ready, finite = self.strategy.run(self._ready, args=(gradients, examples))

        def apply() -> None:
            before = self._rates.before()
            self.strategy.run(lambda each: self.optimizer.apply(each, self._trained), args=(ready,))
            self._rates.after(before)
            if self._ema is not None:
                self._ema.update(self.optimizer.iterations)

        if not self._scale.dynamic:
            apply()
            return
        fine = self.strategy.experimental_local_results(finite)[0]
        tf.cond(fine, apply, lambda: None)
        self._scale.adapt(fine)

    def _ready(self, gradients: Sequence[Any], examples: Any) -> Any:
        """On a replica: the mean gradients with weight decay, clipped; and whether all of them are finite."""
        import tensorflow as tf

        given, decay = self.recipe.optimizer, self.recipe.weight_decay
        mean = [tf.convert_to_tensor(each) for each in gradients]
        if examples is not None:
            mean = [each / tf.cast(examples, each.dtype) for each in mean]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(each)) for each in mean])
        if decay:
            kept = decayed(self._trained, self.recipe.decayed)
            mean = [
                each + tf.cast(decay, each.dtype) * tf.cast(variable.value, each.dtype) if decays else each
                for each, variable, decays in zip(mean, self._trained, kept, strict=True)
            ]
        if given.clipnorm:
            mean = [tf.clip_by_norm(each, given.clipnorm) for each in mean]
        elif given.global_clipnorm:
            mean, _ = tf.clip_by_global_norm(mean, given.global_clipnorm)
        elif given.clipvalue:
            mean = [tf.clip_by_value(each, -given.clipvalue, given.clipvalue) for each in mean]
        return mean, finite


def _has_clock() -> bool:
    """Whether `tf.timestamp` works; not under `enable_op_determinism`."""
    import tensorflow as tf

    try:
        tf.timestamp()
    except tf.errors.FailedPreconditionError:
        return False
    return True


class GradientSums:
    """Sums of the gradients of several batches, each times its number of examples."""

    def __init__(self, trained: Sequence[Any]) -> None:
        import tensorflow as tf

        self.gradients = [tf.Variable(tf.zeros(each.shape, each.dtype), trainable=False) for each in trained]
        self.examples = tf.Variable(0.0, trainable=False)

    @property
    def variables(self) -> list[Any]:
        return [*self.gradients, self.examples]

    def add(self, strategy: Any, gradients: Sequence[Any], examples: Any) -> None:
        """Add a batch."""
        for variable, gradient in zip(self.gradients, gradients, strict=True):
            strategy.extended.update(variable, lambda mine, its: mine.assign_add(its), args=(gradient,))
        self.examples.assign_add(examples)

    def clear(self, strategy: Any) -> None:
        """Set all sums to zero."""
        for variable in self.variables:
            strategy.extended.update(variable, lambda mine: mine.assign(mine * 0))


def _together(model: Any, heads: Sequence[Any]) -> Any:
    import keras

    return keras.Model(model.inputs[0], [head.outputs[0] for head in heads])
