"""The factor of the loss that keeps small gradients above the least number of float16 (Micikevicius et al. 2018, 3.2).

With `mixed_float16` the factor follows what the gradients bear, as `keras.optimizers.LossScaleOptimizer` does it:
where one is not finite the update is left out and the factor halved; after 2000 updates in a row it is doubled.
"""

from __future__ import annotations

from typing import Any

from archspec.lang.recipes.recipe import Recipe

INITIAL = 2.0**15
GROWTH = 2000  # updates without an overflow after which the factor is doubled


class LossScale:
    """The recipe's `loss_scale_factor`, the dynamic one of `mixed_float16`, or none. Made in the strategy's scope."""

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
        """The loss times the factor."""
        return loss * self._factor if self.dynamic else loss * (self._fixed or 1.0)

    def inverse(self) -> Any:
        """What the gradients are multiplied by."""
        return 1.0 / self._factor if self.dynamic else 1.0 / (self._fixed or 1.0)

    def adapt(self, finite: Any) -> None:
        """After the gradients of an update are known."""
        import tensorflow as tf

        fine = tf.where(finite, tf.identity(self._fine) + 1, 0)
        grown = tf.where(fine >= GROWTH, 2.0, 1.0)
        self._factor.assign(tf.identity(self._factor) * tf.where(finite, grown, 0.5))
        self._fine.assign(tf.where(fine >= GROWTH, tf.zeros_like(fine), fine))
