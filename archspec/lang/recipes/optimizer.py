"""The arguments that all optimizers of Keras have."""

from __future__ import annotations

from typing import Any

from archspec.declare import BOOLEAN, FRACTION, POSITIVE, POSITIVE_NUMBER, Declared, arg, declared
from archspec.lang.declarations import summaries
from archspec.lang.recipes.bounds import AT_LEAST_0, optional


def decoupled_weight_decay(doc: str, default: float | None) -> Any:
    """The argument `weight_decay` of an optimizer."""
    return arg(optional(AT_LEAST_0), doc, default, "decoupled weight decay {:g}")


@declared
class Optimizer(Declared):
    """The arguments of every optimizer.

    The training loop clips and accumulates gradients, scales the loss and averages the weights itself, after the
    gradients are summed over all replicas, so that the result does not depend on the number of devices.
    """

    learning_rate: float = arg(POSITIVE_NUMBER, "learning rate, before the schedule", 0.001)
    weight_decay: float | None = decoupled_weight_decay(
        "decoupled: w <- w - learning_rate * weight_decay * w, for the weights that `decayed` names "
        "(Loshchilov & Hutter 2017, Algorithm 1)",
        None,
    )
    clipnorm: float | None = arg(
        optional(POSITIVE_NUMBER), "largest norm of the gradient of each weight", None, "clipnorm {:g}"
    )
    clipvalue: float | None = arg(
        optional(POSITIVE_NUMBER), "largest absolute value in a gradient", None, "clipvalue {:g}"
    )
    global_clipnorm: float | None = arg(
        optional(POSITIVE_NUMBER),
        "largest norm of all gradients together (Pascanu et al. 2013, Algorithm 1)",
        None,
        "global_clipnorm {:g}",
    )
    use_ema: bool = arg(
        BOOLEAN,
        "validate and save the exponential moving average (EMA) of all weights (Polyak & Juditsky 1992)",
        False,
        "EMA of the weights",
    )
    ema_momentum: float = arg(FRACTION, "decay rate of the EMA", 0.99)
    ema_overwrite_frequency: int | None = arg(
        optional(POSITIVE), "replace the weights by their EMA after every N updates", None
    )
    loss_scale_factor: float | None = arg(
        optional(POSITIVE_NUMBER),
        "a fixed loss scale: the loss is multiplied by it, and the gradients are divided by it",
        None,
    )
    gradient_accumulation_steps: int | None = arg(
        optional({"type": "integer", "minimum": 2}),
        "batches whose gradients are averaged into one update; the last update of an epoch may have fewer",
        None,
        "{} batches per update",
    )

    def summary(self) -> str:
        """`sgd at 0.1, clipnorm 5`."""
        return ", ".join([f"{self.name} at {self.learning_rate:g}", *summaries(self)])

    @property
    def slots(self) -> int:
        """Values that the optimizer keeps for each weight, such as moments."""
        return 2

    @property
    def values_per_weight(self) -> int:
        """`slots`, and those of the training loop: the EMA, and the sum of accumulated gradients."""
        return self.slots + bool(self.use_ema) + bool(self.gradient_accumulation_steps)
