"""The exponential moving average (EMA) of a network's weights, which validation and the saved network use.

Polyak & Juditsky 1992. As with `use_ema` of Keras's optimizers, and of the moving statistics of normalization as well,
which belong to the weights that they were measured with.
"""

from __future__ import annotations

from typing import Any

from archspec.lang.recipes.optimizers import Optimizer


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
