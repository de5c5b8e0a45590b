"""The recipe of a page: what `train:` and `preprocess:` may say.

Optimizers, losses and schedules are written in the one-key form of layers: `optimizer: {sgd: {learning_rate: 0.1}}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from archspec.declare import FRACTION, POSITIVE, Declared, arg, choice
from archspec.lang.declarations.one_key import from_one_key, to_one_key
from archspec.lang.recipes import initializers as init_
from archspec.lang.recipes.losses import LOSSES, CategoricalCrossentropy, Loss
from archspec.lang.recipes.monitor import EarlyStopping
from archspec.lang.recipes.optimizer import Optimizer
from archspec.lang.recipes.optimizers import OPTIMIZERS, Sgd
from archspec.lang.recipes.schedule import Schedule, Warmup
from archspec.lang.recipes.schedules import SCHEDULES, Constant

ONE_KEY: Mapping[str, Mapping[str, type[Declared]]] = {
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "schedule": SCHEDULES,
}
"""Key of a recipe -> what may stand under it in the one-key form."""
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
EPOCHS = 10  # of a recipe that says neither epochs nor iterations
LENGTH: Mapping[str, Any] = {"type": ["integer", "null"], "minimum": 1}
PATTERNS: Mapping[str, Any] = {"type": "array", "items": {"type": "string", "minLength": 1}}
MULTIPLIERS: Mapping[str, Any] = {
    "type": ["object", "null"],
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
}
CLASS_WEIGHT: Mapping[str, Any] = {
    "if": {"type": "object"},
    "then": {"additionalProperties": {"type": "number", "minimum": 0}},
    "else": {"if": {"type": "null"}, "else": {"enum": ["balanced"]}},
}


@dataclass(frozen=True)
class Recipe:
    """`train:` with every default filled in. The batch is the global one, over all devices."""

    epochs: int | None = arg(LENGTH, f"passes over the training images; {EPOCHS} where neither is given", None)
    iterations: int | None = arg(LENGTH, "updates of the weights, instead of epochs", None)
    batch_size: int = arg(POSITIVE, "images a step, over all devices together", 128)
    base_batch_size: int | None = arg(
        LENGTH,
        "the batch that the rates are given for: with another one they are scaled in proportion "
        "(Goyal et al. 2017, section 2.1)",
        None,
    )
    optimizer: Optimizer = arg(
        {"heads": "optimizers"}, "update rule; by default with a momentum of 0.9", Sgd(momentum=0.9)
    )
    loss: Loss = arg({"heads": "losses"}, "what is minimized", CategoricalCrossentropy())
    schedule: Schedule = arg({"heads": "schedules"}, "course of the learning rate", Constant())
    warmup: Warmup | None = arg({"record": Warmup}, "lower rates for the first updates", None)
    weight_decay: float = arg(
        {"type": "number", "minimum": 0},
        "coupled: weight_decay * w joins the gradient, and so the momentum (Krizhevsky et al. 2012, section 5)",
        0.0,
    )
    decayed: tuple[str, ...] = arg(
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "the ends of Keras's names of the weights that weight decay holds down, coupled or not: add `bias`, `gamma`, "
        "`beta` for all",
        ("kernel",),
    )
    label_smoothing: float = arg(
        FRACTION, "share of the target spread over all classes, for any loss (Szegedy et al. 2015, section 7)", 0.0
    )
    class_weight: Any = arg(
        CLASS_WEIGHT,
        "{CLASS: factor of the loss of its images}, by name or index; or `balanced`: N / (classes * n)",
        None,
    )
    dtype_policy: str = arg(
        choice(*POLICIES), "precision of the layers, as `keras.dtype_policies` has it; the loss is float32", "float32"
    )
    init: tuple[init_.Rule, ...] = arg(
        init_.SCHEMA, "{OPERATOR or pattern of paths: initializer of its kernels, or {WEIGHT: initializer}}", ()
    )
    freeze: tuple[str, ...] = arg(
        PATTERNS, "patterns of the paths of layers that keep their weights; `bn` keeps its moments as well", ()
    )
    rate_multipliers: Mapping[str, float] | None = arg(
        MULTIPLIERS, "{pattern of paths: factor of the learning rate}; of several that fit the last one", None
    )
    early_stopping: EarlyStopping | None = arg({"record": EarlyStopping}, "when to end before the last epoch", None)
    augment: tuple[Declared, ...] = arg({"list": "transforms"}, "transforms of training images, in order", ())
    resample: str = arg(
        choice("exact", "fast"),
        "how augmented images are resized: antialiased bilinear; or `fast`, up to half a decoded pixel off",
        "exact",
    )

    @property
    def accumulated(self) -> int:
        """Batches an update."""
        return self.optimizer.gradient_accumulation_steps or 1

    @property
    def scale(self) -> float:
        """What every learning rate is multiplied by: the images of an update, in units of `base_batch_size`."""
        return self.batch_size * self.accumulated / self.base_batch_size if self.base_batch_size else 1.0

    def length(self, images: int) -> Length:
        """How long the recipe takes on so many training images."""
        steps = -(-images // self.batch_size)
        updates = -(-steps // self.accumulated)
        if self.iterations is None:
            epochs = self.epochs or EPOCHS
            return Length(epochs, steps, updates, epochs * steps, epochs * updates)
        whole, rest = divmod(self.iterations, updates)
        last = min(rest * self.accumulated, steps)
        return Length(whole + bool(rest), steps, updates, whole * steps + last, self.iterations)


@dataclass(frozen=True)
class Length:
    """How long a run is. A step reads one batch; an iteration updates the weights, after one step or several."""

    epochs: int
    """The last of them may be cut short by `iterations`."""
    steps_per_epoch: int
    iterations_per_epoch: int
    steps: int
    iterations: int

    def iteration(self, step: int, accumulated: int) -> int:
        """The update that a step of the run, counted from 0, belongs to."""
        epoch, inside = divmod(step, self.steps_per_epoch)
        return epoch * self.iterations_per_epoch + inside // accumulated

    def updates(self, step: int, accumulated: int) -> bool:
        """Whether the weights are updated after a step: when its batches are complete, and at an epoch's end."""
        inside = step % self.steps_per_epoch + 1
        return inside % accumulated == 0 or inside == self.steps_per_epoch


def recipe(section: Mapping[str, Any], transforms: Mapping[str, type[Declared]]) -> Recipe:
    """`train:`, already validated, with its defaults."""
    given = dict(section)
    for key, declared in ONE_KEY.items():
        if key in given:
            given[key] = from_one_key(given[key], declared)
    for key, record in (("warmup", Warmup), ("early_stopping", EarlyStopping)):
        if given.get(key) is not None:  # null in run.json, which says every default
            given[key] = record(**given[key])
    given["init"] = init_.rules(given.get("init") or {})
    if "freeze" in given:
        given["freeze"] = tuple(given["freeze"])
    if "decayed" in given:
        given["decayed"] = tuple(given["decayed"])
    given["augment"] = tuple(from_one_key(each, transforms) for each in given.get("augment") or ())
    return Recipe(**given)


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a page would say it, with every default."""
    return {
        **{field.name: getattr(recipe, field.name) for field in fields(recipe)},
        "optimizer": to_one_key(recipe.optimizer),
        "loss": to_one_key(recipe.loss),
        "schedule": to_one_key(recipe.schedule),
        "warmup": recipe.warmup and asdict(recipe.warmup),
        "early_stopping": recipe.early_stopping and asdict(recipe.early_stopping),
        "init": init_.rules_json(recipe.init),
        "augment": [to_one_key(transform) for transform in recipe.augment],
    }
