"""What all optimizers of Keras have in common."""

from __future__ import annotations

from archspec.declare import BOOLEAN, FRACTION, POSITIVE, POSITIVE_NUMBER, Declared, arg, declared
from archspec.lang.recipes.bounds import AT_LEAST_0, optional


@declared
class Optimizer(Declared):
    """What every optimizer of Keras takes.

    Clipping, accumulation, averaging and loss scaling are done by the training loop, after the gradients are summed
    over all replicas, so that they mean the same on any number of devices.
    """

    learning_rate: float = arg(POSITIVE_NUMBER, "step size before the schedule", 0.001)
    weight_decay: float | None = arg(
        optional(AT_LEAST_0),
        "decoupled: w <- w - learning_rate * weight_decay * w, of the weights that `decayed` names "
        "(Loshchilov & Hutter 2017, Algorithm 1)",
        None,
    )
    clipnorm: float | None = arg(optional(POSITIVE_NUMBER), "the largest norm of the gradient of each weight", None)
    clipvalue: float | None = arg(optional(POSITIVE_NUMBER), "the largest absolute value in a gradient", None)
    global_clipnorm: float | None = arg(
        optional(POSITIVE_NUMBER), "the largest norm of all gradients together (Pascanu et al. 2013, Algorithm 1)", None
    )
    use_ema: bool = arg(
        BOOLEAN, "validate and save the exponential moving average of all weights, as Polyak & Juditsky 1992 do", False
    )
    ema_momentum: float = arg(FRACTION, "share of the average that a step keeps", 0.99)
    ema_overwrite_frequency: int | None = arg(
        optional(POSITIVE),
        "put the average in place of the weights every so many updates",
        None,
    )
    loss_scale_factor: float | None = arg(
        optional(POSITIVE_NUMBER), "a fixed factor of the loss, divided out of the gradients again", None
    )
    gradient_accumulation_steps: int | None = arg(
        optional({"type": "integer", "minimum": 2}),
        "batches whose gradients are averaged into one update; what is left at the end of an epoch is one too",
        None,
    )

    @property
    def slots(self) -> int:
        """Values that it keeps for each weight: its moments."""
        return 2

    @property
    def values_per_weight(self) -> int:
        """`slots`, and those of the training loop: the average of `use_ema`, the sum of accumulated gradients."""
        return self.slots + bool(self.use_ema) + bool(self.gradient_accumulation_steps)
