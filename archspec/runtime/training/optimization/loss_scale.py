"""The loss scale, which keeps small gradients above the smallest float16 (Micikevicius et al. 2018, section 3.2).

With `mixed_float16` the scale is dynamic, as in `keras.optimizers.LossScaleOptimizer`: if a gradient is not finite the
update is skipped and the scale halved; after 2000 updates without that it is doubled.
"""

from __future__ import annotations

from typing import Any

from archspec.lang.recipes.recipe import Recipe

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
