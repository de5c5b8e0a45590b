"""Keras's losses, each under the name that `keras.losses.get` knows, with Keras's arguments and defaults.

The target y is the one-hot vector of the class, changed by label smoothing and mixup; the prediction p is the network's
probabilities, or its logits where Keras's loss has `from_logits`. So `from_logits`, `axis` and `reduction` are not
arguments here. Two losses of Keras do not apply to a classifier: `circle` compares the images of a batch with each
other, and `ctc` takes sequences.
"""

from __future__ import annotations

from typing import ClassVar

from archspec.declare import (
    AT_LEAST_0,
    BOOLEAN,
    FRACTION,
    INSIDE,
    POSITIVE_NUMBER,
    SHARE,
    KerasNamed,
    arg,
    declared,
    optional,
)
from archspec.lang.declarations import summaries

SMOOTHING = "share of the target spread over all classes (Szegedy et al. 2015, arXiv:1512.00567, section 7)"
HALVES = "share of the target that moves to one half"


@declared
class Loss(KerasNamed):
    """Base of all losses."""

    logits: ClassVar[bool] = False
    """Whether Keras's loss takes logits."""
    sparse: ClassVar[bool] = False
    """Whether the target is the index of one class, which mixed labels are not."""

    def summary(self) -> str:
        """The loss and its label smoothing; empty for the plain cross-entropy."""
        name = "" if self.name == "categorical_crossentropy" else f"loss {self.name}"
        return ", ".join(filter(None, [name, *summaries(self)]))


@declared
class CategoricalCrossentropy(Loss):
    """-sum(y log p) over the classes, nats."""

    logits = True

    label_smoothing: float = arg(FRACTION, SMOOTHING, 0.0, "label smoothing {:g}")


@declared
class SparseCategoricalCrossentropy(Loss):
    """-log p of the true class, nats. Not for mixup and cutmix."""

    logits = True
    sparse = True

    ignore_class: int | None = arg(
        optional({"type": "integer"}), "index of a class whose images are ignored in the loss", None
    )


@declared
class CategoricalFocalCrossentropy(Loss):
    """Cross-entropy with less weight on easy images: -sum(alpha (1 - p)^gamma y log p) (Lin et al. 2017, section 3)."""

    logits = True

    alpha: float = arg(AT_LEAST_0, "factor of all classes", 0.25)
    gamma: float = arg(AT_LEAST_0, "how strongly the weight of easy images is reduced; 0 is the cross-entropy", 2.0)
    label_smoothing: float = arg(FRACTION, SMOOTHING, 0.0, "label smoothing {:g}")


@declared
class CategoricalGeneralizedCrossEntropy(Loss):
    """(1 - p^q) / q of the true class: robust to wrong labels (Zhang & Sabuncu 2018, equation 6).

    Not for mixup and cutmix.
    """

    sparse = True

    q: float = arg(
        INSIDE,
        "exponent, 0 to 1; near 0 the loss approaches the cross-entropy",
        0.5,
    )


@declared
class BinaryCrossentropy(Loss):
    """The mean over the classes of the cross-entropy of a sigmoid for each, nats (Wightman et al. 2021, section 3)."""

    logits = True

    label_smoothing: float = arg(FRACTION, HALVES, 0.0, "label smoothing {:g}")


@declared
class BinaryFocalCrossentropy(Loss):
    """The mean over the classes of the focal loss of a sigmoid for each (Lin et al. 2017, section 3)."""

    logits = True

    apply_class_balancing: bool = arg(BOOLEAN, "multiply the loss of ones by alpha, of zeros by 1 - alpha", False)
    alpha: float = arg(SHARE, "weight of ones", 0.25)
    gamma: float = arg(AT_LEAST_0, "how strongly the weight of easy images is reduced", 2.0)
    label_smoothing: float = arg(FRACTION, HALVES, 0.0, "label smoothing {:g}")


@declared
class CategoricalHinge(Loss):
    """max(0, 1 - p of the true class + the largest p of another)."""


@declared
class Hinge(Loss):
    """The mean over the classes of max(0, 1 - y p), y being -1 or 1."""


@declared
class SquaredHinge(Loss):
    """The mean over the classes of max(0, 1 - y p)^2, y being -1 or 1."""


@declared
class KlDivergence(Loss):
    """sum(y log(y / p)) over the classes, nats."""


@declared
class Poisson(Loss):
    """The mean over the classes of p - y log p."""


@declared
class MeanSquaredError(Loss):
    """The mean over the classes of (y - p)^2."""


@declared
class MeanAbsoluteError(Loss):
    """The mean over the classes of |y - p|."""


@declared
class MeanAbsolutePercentageError(Loss):
    """The mean over the classes of 100 |y - p| / y."""


@declared
class MeanSquaredLogarithmicError(Loss):
    """The mean over the classes of (log(1 + y) - log(1 + p))^2."""


@declared
class Huber(Loss):
    """The mean over the classes of a loss that is quadratic up to delta and linear above it (Huber 1964)."""

    delta: float = arg(POSITIVE_NUMBER, "the difference above which the loss is linear", 1.0)


@declared
class LogCosh(Loss):
    """The mean over the classes of log(cosh(p - y))."""


@declared
class CosineSimilarity(Loss):
    """-cos of the angle between y and p."""


@declared
class Dice(Loss):
    """1 - 2 sum(y p) / (sum(y) + sum(p)) of each image (Milletari et al. 2016, section 3)."""


@declared
class Tversky(Loss):
    """Dice with separate weights for false positives and false negatives (Salehi et al. 2017, equation 4)."""

    alpha: float = arg(AT_LEAST_0, "weight of false positives", 0.5)
    beta: float = arg(AT_LEAST_0, "weight of false negatives", 0.5)


LOSSES: dict[str, type[Loss]] = {
    each.name: each
    for each in (
        CategoricalCrossentropy,
        SparseCategoricalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy,
        BinaryCrossentropy,
        BinaryFocalCrossentropy,
        CategoricalHinge,
        Hinge,
        SquaredHinge,
        KlDivergence,
        Poisson,
        MeanSquaredError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredLogarithmicError,
        Huber,
        LogCosh,
        CosineSimilarity,
        Dice,
        Tversky,
    )
}
