"""Keras's optimizers, each under the name that `keras.optimizers.get` knows, with Keras's arguments and defaults.

They are declared here because `check` does not import Keras; a test compares every argument with Keras's own.
"""

from __future__ import annotations

from typing import Any, ClassVar

from archspec.declare import (
    AT_LEAST_0,
    BOOLEAN,
    FRACTION,
    INSIDE,
    NATURAL,
    NUMBER,
    POSITIVE,
    POSITIVE_NUMBER,
    Declared,
    arg,
    declared,
    optional,
)
from archspec.lang.declarations import summaries


def decoupled_weight_decay(doc: str, default: float | None) -> Any:
    """The argument `weight_decay` of an optimizer."""
    return arg(optional(AT_LEAST_0), doc, default, "decoupled weight decay {:g}")


@declared
class Optimizer(Declared):
    """The arguments of every optimizer.

    The training loop clips and accumulates gradients, scales the loss and averages the weights itself, after the
    gradients are summed over all replicas, so that the result does not depend on the number of devices.
    """

    moments: ClassVar[int] = 2
    """Values that the optimizer keeps for each weight by default."""

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

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__.lower()  # as in `keras.optimizers.get`

    def summary(self) -> str:
        """`sgd at 0.1, clipnorm 5`."""
        return ", ".join([f"{self.name} at {self.learning_rate:g}", *summaries(self)])

    @property
    def slots(self) -> int:
        """Values that the optimizer keeps for each weight with these arguments."""
        return self.moments

    @property
    def values_per_weight(self) -> int:
        """`slots`, and those of the training loop: the EMA, and the sum of accumulated gradients."""
        return self.slots + bool(self.use_ema) + bool(self.gradient_accumulation_steps)


@declared
class Sgd(Optimizer):
    """Stochastic gradient descent with momentum: v <- momentum v - learning_rate g; w <- w + v.

    Krizhevsky et al. 2012, section 5; `keras.optimizers.SGD`.
    """

    learning_rate: float = arg(POSITIVE_NUMBER, "step size before the schedule", 0.01)
    momentum: float = arg(FRACTION, "fraction of the previous update that is added to the next", 0.0)
    nesterov: bool = arg(BOOLEAN, "use Nesterov momentum", False)

    @property
    def slots(self) -> int:
        return int(self.momentum > 0)


@declared
class RmsProp(Optimizer):
    """RMSprop (Tieleman & Hinton 2012): the gradient divided by the root of its running mean square."""

    rho: float = arg(FRACTION, "decay rate of the running mean square (second moment)", 0.9)
    momentum: float = arg(FRACTION, "fraction of the previous update that is added to the next", 0.0)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the mean square, before the root", 1e-7)
    centered: bool = arg(BOOLEAN, "divide by the running standard deviation instead", False)

    @property
    def slots(self) -> int:
        return 1 + (self.momentum > 0) + self.centered


@declared
class _TwoMoments(Optimizer):
    """Base of the optimizers with the moments of Adam."""

    beta_1: float = arg(FRACTION, "decay rate of the running mean (first moment)", 0.9)
    beta_2: float = arg(FRACTION, "decay rate of the running mean square (second moment)", 0.999)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the root of the mean square", 1e-7)


@declared
class Adam(_TwoMoments):
    """Adam (Kingma & Ba 2014, Algorithm 1)."""

    amsgrad: bool = arg(BOOLEAN, "divide by the largest mean square so far (Reddi et al. 2018)", False)

    @property
    def slots(self) -> int:
        return 2 + self.amsgrad


@declared
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017, Algorithm 2)."""

    weight_decay: float | None = decoupled_weight_decay("decoupled: w <- w - learning_rate * weight_decay * w", 0.004)


@declared
class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, Algorithm 1)."""

    rho: float = arg(FRACTION, "decay rate of the running means", 0.95)
    epsilon: float = arg(POSITIVE_NUMBER, "added to both means, before their roots", 1e-7)


@declared
class Adafactor(Optimizer):
    """Adafactor (Shazeer & Stern 2018): the second moments of a matrix are stored by rows and columns."""

    moments = 1

    beta_2_decay: float = arg(NUMBER, "exponent: the decay rate of the mean square is 1 - step ^ beta_2_decay", -0.8)
    epsilon_1: float = arg(POSITIVE_NUMBER, "added to the squared gradient", 1e-30)
    epsilon_2: float = arg(
        POSITIVE_NUMBER, "lower bound of the root mean square of a weight, which scales its learning rate", 1e-3
    )
    clip_threshold: float = arg(POSITIVE_NUMBER, "upper bound of the root mean square of an update", 1.0)
    relative_step: bool = arg(BOOLEAN, "limit the learning rate to 1 / sqrt(step)", True)


@declared
class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): the gradient divided by the root of the sum of its squares."""

    moments = 1

    initial_accumulator_value: float = arg(AT_LEAST_0, "initial value of the sum of squares", 0.1)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the sum, before the root", 1e-7)


@declared
class Adamax(Optimizer):
    """Adamax (Kingma & Ba 2014, section 7.1): Adam with the largest gradient in place of the mean square."""

    beta_1: float = arg(FRACTION, "decay rate of the running mean (first moment)", 0.9)
    beta_2: float = arg(FRACTION, "decay rate of the largest gradient", 0.999)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the divisor", 1e-7)


@declared
class Nadam(_TwoMoments):
    """Adam with Nesterov momentum (Dozat 2016)."""


@declared
class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al. 2013, Algorithm 1)."""

    learning_rate_power: float = arg({"type": "number", "maximum": 0}, "exponent of the accumulated squares", -0.5)
    initial_accumulator_value: float = arg(AT_LEAST_0, "initial value of the sum of squares", 0.1)
    l1_regularization_strength: float = arg(AT_LEAST_0, "factor of the sum of absolute weights", 0.0)
    l2_regularization_strength: float = arg(AT_LEAST_0, "factor of the sum of squared weights", 0.0)
    l2_shrinkage_regularization_strength: float = arg(AT_LEAST_0, "factor of w, which is added to the gradient", 0.0)
    beta: float = arg(NUMBER, "added to the divisor of the learning rate", 0.0)


@declared
class Lion(Optimizer):
    """Lion (Chen et al. 2023, Algorithm 2): updates by the sign of the momentum."""

    moments = 1

    beta_1: float = arg(INSIDE, "weight of the momentum in an update", 0.9)  # with 0 it would be SignSGD
    beta_2: float = arg(FRACTION, "decay rate of the momentum", 0.99)


@declared
class Lamb(_TwoMoments):
    """LAMB (You et al. 2019, Algorithm 2): Adam with a trust ratio for each layer, for large batches."""


@declared
class Muon(Optimizer):
    """Muon (Jordan 2024): orthogonalised momentum for matrices, and AdamW for all other weights."""

    moments = 1

    adam_beta_1: float = arg(FRACTION, "AdamW's decay rate of the running mean (first moment)", 0.9)
    adam_beta_2: float = arg(FRACTION, "AdamW's decay rate of the running mean square (second moment)", 0.999)
    adam_weight_decay: float = arg(AT_LEAST_0, "the decoupled weight decay of AdamW", 0.004)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the root of the mean square", 1e-7)
    weight_decay: float | None = decoupled_weight_decay("decoupled weight decay of matrices", 0.004)
    exclude_layers: tuple[str, ...] | None = arg(
        {"type": ["array", "null"], "items": {"type": "string"}},
        "weights whose paths contain one of these words are updated by AdamW",
        None,
    )
    exclude_embeddings: bool = arg(BOOLEAN, "update embeddings by AdamW", True)
    muon_a: float = arg(NUMBER, "first coefficient of the Newton-Schulz iteration", 3.4445)
    muon_b: float = arg(NUMBER, "second coefficient", -4.775)
    muon_c: float = arg(NUMBER, "third coefficient", 2.0315)
    adam_lr_ratio: float = arg(POSITIVE_NUMBER, "learning rate of AdamW, relative to that of Muon", 1)
    momentum: float = arg(FRACTION, "decay rate of the momentum", 0.95)
    ns_steps: int = arg(POSITIVE, "Newton-Schulz iterations", 5)
    nesterov: bool = arg(BOOLEAN, "use Nesterov momentum", True)
    rms_rate: float | None = arg(optional(POSITIVE_NUMBER), "factor that scales the updates to the size of Adam's", 0.2)


@declared
class ScheduleFreeAdamW(Optimizer):
    """AdamW that needs no schedule (Defazio et al. 2024)."""

    learning_rate: float = arg(POSITIVE_NUMBER, "step size", 0.0025)
    beta_1: float = arg(INSIDE, "interpolation weight", 0.9)
    beta_2: float = arg(FRACTION, "decay rate of the running mean square (second moment)", 0.999)
    epsilon: float = arg(POSITIVE_NUMBER, "added to the root of the mean square", 1e-8)
    warmup_steps: int = arg(NATURAL, "updates of linear warm-up from zero", 0)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    each.name: each
    for each in (
        Sgd,
        Adam,
        AdamW,
        RmsProp,
        Adadelta,
        Adafactor,
        Adagrad,
        Adamax,
        Nadam,
        Ftrl,
        Lion,
        Lamb,
        Muon,
        ScheduleFreeAdamW,
    )
}
