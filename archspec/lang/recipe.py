"""The recipe of a page: what `train:` and `preprocess:` may say.

Optimizers and schedules are written in the one-key form of layers: `optimizer: {sgd: {learning_rate: 0.1}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archspec.declare import BOOLEAN, FRACTION, NATURAL, POSITIVE, POSITIVE_NUMBER, Declared, arg, choice, declared


@declared
class Sgd(Declared):
    """Stochastic gradient descent with momentum: v <- momentum v - learning_rate g; w <- w + v.

    Krizhevsky et al. 2012, section 5; `keras.optimizers.SGD`.
    """

    name = "sgd"

    learning_rate: float = arg(POSITIVE_NUMBER, "step size before the schedule", 0.01)
    momentum: float = arg(FRACTION, "share of the last update that is kept", 0.9)
    nesterov: bool = arg(BOOLEAN, "look ahead along the momentum", False)


OPTIMIZERS: dict[str, type[Declared]] = {"sgd": Sgd}


@declared
class Constant(Declared):
    """The learning rate stays as it is."""

    name = "constant"

    def factor(self, progress: float, epoch: float) -> float:
        """What the learning rate is multiplied by, `progress` (0 to 1) of the way through, at `epoch` (fractional)."""
        return 1.0


@declared
class Cosine(Declared):
    """Half a cosine from the learning rate down to zero, after a linear warm-up (Loshchilov & Hutter 2016, eq. 5)."""

    name = "cosine"

    warmup_epochs: float = arg({"type": "number", "minimum": 0}, "epochs of linear rise from zero", 0)

    def factor(self, progress: float, epoch: float) -> float:
        import math

        if epoch < self.warmup_epochs:
            return epoch / self.warmup_epochs
        total = epoch / progress if progress else float("inf")
        rest = (epoch - self.warmup_epochs) / max(total - self.warmup_epochs, 1e-9) if progress else 0.0
        return (1 + math.cos(math.pi * min(rest, 1.0))) / 2


@declared
class Step(Declared):
    """Multiply the learning rate by `factor` at each of the given epochs (He et al. 2016, section 4.2)."""

    name = "step"

    epochs: tuple[int, ...] = arg({"type": "array", "items": NATURAL, "minItems": 1}, "epochs at which it drops")
    gamma: float = arg(POSITIVE_NUMBER, "what the rate is multiplied by at each of them", 0.1)

    def factor(self, progress: float, epoch: float) -> float:
        return float(self.gamma ** sum(epoch >= drop for drop in self.epochs))


SCHEDULES: dict[str, type[Declared]] = {"constant": Constant, "cosine": Cosine, "step": Step}


@dataclass(frozen=True)
class Recipe:
    """`train:` with every default filled in. The batch is the global one, over all devices."""

    epochs: int = arg(POSITIVE, "passes over the training images", 10)
    batch_size: int = arg(POSITIVE, "images a step, over all devices together", 128)
    optimizer: Declared = arg({"heads": "optimizers"}, "update rule", Sgd())
    schedule: Declared = arg({"heads": "schedules"}, "course of the learning rate", Constant())
    weight_decay: float = arg(
        {"type": "number", "minimum": 0},
        "coupled: weight_decay * w joins the gradient of kernels, not of biases and normalization",
        0.0,
    )
    label_smoothing: float = arg(FRACTION, "share of the target spread over all classes (Szegedy et al. 2016, 7)", 0.0)
    augment: tuple[Declared, ...] = arg({"list": "transforms"}, "transforms of training images, in order", ())
    resample: str = arg(
        choice("exact", "fast"),
        "how augmented images are resized: antialiased bilinear; or `fast`, up to half a decoded pixel off",
        "exact",
    )


def plain(declared: Declared) -> dict[str, Any]:
    """The one-key form again: {"sgd": {"learning_rate": 0.1, ...}}."""
    from dataclasses import asdict

    return {declared.name: asdict(declared)}  # type: ignore[call-overload]


def from_heads(value: Any, declared: Mapping[str, type[Declared]]) -> Declared:
    """`sgd`, `{sgd: 0.1}` or `{sgd: {learning_rate: 0.1}}`, already validated, as a declaration."""
    from archspec.declare import arguments

    if isinstance(value, str):
        return declared[value].make({})
    ((head, given),) = value.items()
    if not isinstance(given, Mapping):
        given = {} if given is None else {arguments(declared[head])[0].name: given}
    return declared[head].make(given)


def recipe(section: Mapping[str, Any], transforms: Mapping[str, type[Declared]]) -> Recipe:
    """`train:`, already validated, with its defaults."""
    given = dict(section)
    if "optimizer" in given:
        given["optimizer"] = from_heads(given["optimizer"], OPTIMIZERS)
    if "schedule" in given:
        given["schedule"] = from_heads(given["schedule"], SCHEDULES)
    given["augment"] = tuple(from_heads(each, transforms) for each in given.get("augment") or ())
    return Recipe(**given)
