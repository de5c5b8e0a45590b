"""What turns gradients into updates: the Keras optimizer, the loss scale, and the moving average of the weights."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import arguments
from archspec.lang.recipes.optimizers import Optimizer
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.models.keras_class import keras_class
from archspec.runtime.training.optimization.fused_updates import speed_up_updates

BY_THE_TRAIN_STEP = frozenset(
    {
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
    }
)
"""Arguments that `TrainStep` implements. Keras, for one, clips the gradients of each replica before it sums them."""


def make_optimizer(declared: Optimizer, variables: Sequence[Any], decayed_names: Sequence[str]) -> Any:
    """The Keras optimizer of a declaration, built for variables whose gradients are already summed over replicas.

    Its decoupled weight decay applies to the variables whose names end in one of `decayed_names`.
    """
    import keras

    given = {name: value for name, value in dataclasses.asdict(declared).items() if name not in BY_THE_TRAIN_STEP}
    given = {**given, **_as_floats(declared, given)}
    if given.get("exclude_layers"):  # regular expressions in Keras
        given["exclude_layers"] = [re.escape(word) for word in given["exclude_layers"]]
    optimizer = keras_class(keras.optimizers, declared.name)(**given)
    kept = decayed(variables, decayed_names)
    optimizer.exclude_from_weight_decay(
        var_list=[variable for variable, decays in zip(variables, kept, strict=True) if not decays]
    )
    optimizer.build(list(variables))
    # TrainStep has summed the gradients, to clip the sum; Keras has no public option for that
    assert callable(optimizer._all_reduce_sum_gradients)
    optimizer._all_reduce_sum_gradients = list
    speed_up_updates(optimizer)
    return optimizer


def _as_floats(declared: Optimizer, given: Mapping[str, Any]) -> dict[str, float]:
    """Numbers that a spec may write as integers: Keras rejects a `learning_rate` of 1 and a `momentum` of 0."""
    numbers = [each.name for each in arguments(type(declared)) if "number" in each.schema.get("type", ())]
    return {name: float(given[name]) for name in numbers if isinstance(given.get(name), int)}


def decayed(variables: Sequence[Any], names: Sequence[str] = ("kernel",)) -> list[bool]:
    """Which variables weight decay applies to: those whose Keras name ends in one of the names."""
    return [variable.name.endswith(tuple(names)) for variable in variables]


INITIAL = 2.0**15
GROWTH = 2000  # updates without an overflow, after which the scale is doubled


class LossScale:
    """The `loss_scale_factor` of a recipe, the dynamic scale of `mixed_float16`, or 1. Made in the strategy's scope."""

    def __init__(self, recipe: Recipe) -> None:
        import tensorflow as tf

        self._fixed = recipe.optimizer.loss_scale_factor
        self.dynamic = recipe.dtype_policy == "mixed_float16" and self._fixed is None
        self.used = self.dynamic or self._fixed is not None
        self.variables: list[Any] = []
        if self.dynamic:
            self._factor = tf.Variable(INITIAL, trainable=False)
            self._fine = tf.Variable(0, dtype=tf.int64, trainable=False)
            self.variables = [self._factor, self._fine]

    def scaled(self, loss: Any) -> Any:
        """The loss times the scale."""
        return loss * self._factor if self.dynamic else loss * (self._fixed or 1.0)

    def inverse(self) -> Any:
        """The factor that undoes the scale in the gradients."""
        return 1.0 / self._factor if self.dynamic else 1.0 / (self._fixed or 1.0)

    def adapt(self, finite: Any) -> None:
        """Adapt the dynamic scale. `finite`: whether all gradients of the update were."""
        import tensorflow as tf

        fine = tf.where(finite, tf.identity(self._fine) + 1, 0)
        grown = tf.where(fine >= GROWTH, 2.0, 1.0)
        self._factor.assign(tf.identity(self._factor) * tf.where(finite, grown, 0.5))
        self._fine.assign(tf.where(fine >= GROWTH, tf.zeros_like(fine), fine))


class Ema:
    """ema <- momentum * ema + (1 - momentum) * w after each update; w after the first one.

    Args:
        strategy: of the scope in which the model was built.
        model: all of its weights are averaged, trainable or not.
        given: `ema_momentum` and `ema_overwrite_frequency`.
    """

    def __init__(self, strategy: Any, model: Any, given: Optimizer) -> None:
        import tensorflow as tf

        self.strategy, self.given = strategy, given
        self.weights = [each.value for each in model.weights if each.dtype.startswith(("float", "bfloat"))]
        self.variables = [tf.Variable(tf.convert_to_tensor(each), trainable=False) for each in self.weights]

    def update(self, iterations: Any) -> None:
        """Call after an update of the weights. `iterations` includes that update."""
        import tensorflow as tf

        count = tf.convert_to_tensor(iterations)
        momentum = tf.where(count <= 1, 0.0, self.given.ema_momentum)
        for average, weight in zip(self.variables, self.weights, strict=True):

            def mix(mine: Any, its: Any) -> Any:
                share = tf.cast(momentum, mine.dtype)
                return mine.assign(share * mine + (1 - share) * its)

            self.strategy.extended.update(average, mix, args=(weight,))
        frequency = self.given.ema_overwrite_frequency
        if frequency:
            tf.cond(tf.equal(count % frequency, 0), self._overwrite, lambda: None)

    def _overwrite(self) -> None:
        for average, weight in zip(self.variables, self.weights, strict=True):
            self.strategy.extended.update(weight, lambda mine, its: mine.assign(its), args=(average,))

    def swap(self) -> None:
        """Exchange the weights and their EMA; a second call restores them."""
        import tensorflow as tf

        for average, weight in zip(self.variables, self.weights, strict=True):
            kept = tf.identity(weight)
            weight.assign(tf.identity(average))
            average.assign(kept)
