"""What `train:` and `evaluate:` of a spec may say. An option is declared here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from archspec.declare import FRACTION, INSIDE, POSITIVE, Declared, arg, choice, declared
from archspec.diagnostics import Source, fail, listed
from archspec.lang.declarations import (
    form,
    list_of,
    one_key_fields,
    one_of,
    optional_section,
    read_section,
    write_section,
)
from archspec.lang.document.nodes import MappingNode, ScalarNode
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.recipes import initializers
from archspec.lang.recipes.losses import LOSSES, CategoricalCrossentropy, Loss
from archspec.lang.recipes.monitor import EarlyStopping
from archspec.lang.recipes.optimizers import OPTIMIZERS, Optimizer, Sgd
from archspec.lang.recipes.schedules import SCHEDULES, ConstantSchedule, Schedule, Warmup
from archspec.protocols import PROTOCOLS, Protocol
from archspec.transforms import TRANSFORMS

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


@declared
class Recipe(Declared):
    """`train:` with every default filled in. The batch is the global batch, over all devices."""

    def __repr__(self) -> str:
        given = {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }
        return f"Recipe({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    epochs: int | None = arg(
        LENGTH, f"passes over the training images; {EPOCHS} if neither this nor `iterations` is given", None
    )
    iterations: int | None = arg(LENGTH, "updates of the weights, instead of epochs", None)
    batch_size: int = arg(POSITIVE, "images per step, over all devices together", 128, "batches of {:,}")
    base_batch_size: int | None = arg(
        LENGTH,
        "the batch size that the learning rates are for; with another batch size they are scaled in proportion "
        "(Goyal et al. 2017, section 2.1)",
        None,
    )
    optimizer: Optimizer = arg(
        one_of(OPTIMIZERS), "update rule; by default with a momentum of 0.9", Sgd(momentum=0.9), Optimizer.summary
    )
    schedule: Schedule = arg(one_of(SCHEDULES), "learning rate schedule", ConstantSchedule(), "{0.name} schedule")
    warmup: Warmup | None = arg(
        optional_section(Warmup, "lower learning rates for the first updates (default: none)"),
        "lower learning rates for the first updates",
        None,
        Warmup.summary,
    )
    loss: Loss = arg(one_of(LOSSES), "the loss that is minimized", CategoricalCrossentropy(), Loss.summary)
    weight_decay: float = arg(
        {"type": "number", "minimum": 0},
        "coupled weight decay: weight_decay * w is added to the gradient, and so to the momentum "
        "(Krizhevsky et al. 2012, section 5)",
        0.0,
        "weight decay {:g}",
    )
    decayed: tuple[str, ...] = arg(
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "weight decay, coupled or decoupled, applies to weights whose Keras names end in one of these; add `bias`, "
        "`gamma` and `beta` for all",
        ("kernel",),
    )
    label_smoothing: float = arg(
        FRACTION,
        "share of the target spread over all classes, for any loss (Szegedy et al. 2015, section 7)",
        0.0,
        "label smoothing {:g}",
    )
    class_weight: Any = arg(
        CLASS_WEIGHT,
        "{CLASS: factor of the loss of its images}, by name or index; or `balanced`: N / (classes * n)",
        None,
        lambda value: "balanced classes" if value == "balanced" else "weighted classes",
    )
    dtype_policy: str = arg(
        choice(*POLICIES),
        "precision of the layers, as in `keras.dtype_policies`; the loss is float32",
        "float32",
        lambda value: "" if value == "float32" else value,
    )
    init: tuple[initializers.Rule, ...] = arg(
        form(initializers.schema, initializers.rules, initializers.rules_json),
        "{OPERATOR or pattern of paths: initializer of its kernels, or {WEIGHT: initializer}}",
        (),
        lambda rules: f"initialization of {listed(dict.fromkeys(rule.layers for rule in rules), 6)} from the recipe",
    )
    freeze: tuple[str, ...] = arg(
        PATTERNS,
        "patterns of the paths of layers that are not trained; a frozen `bn` keeps its moving statistics",
        (),
        lambda layers: f"{listed(layers, 6)} frozen",
    )
    rate_multipliers: Mapping[str, float] | None = arg(
        MULTIPLIERS,
        "{pattern of paths: factor of the learning rate}; if several patterns match a layer, the last one applies",
        None,
        lambda factors: listed((f"learning rate x {factor:g} for {path}" for path, factor in factors.items()), 6),
    )
    early_stopping: EarlyStopping | None = arg(
        optional_section(EarlyStopping, "when to stop before the last epoch (default: none)"),
        "when to stop before the last epoch",
        None,
    )
    augment: tuple[Declared, ...] = arg(
        list_of(TRANSFORMS),
        "transforms of training images, in order",
        (),
        lambda transforms: f"augmented by {listed(each.name for each in transforms)}",
    )
    resample: str = arg(
        choice("exact", "fast"),
        "how augmented images are resized: `exact` is antialiased bilinear; `fast` may be off by half a decoded pixel",
        "exact",
    )

    @property
    def accumulated(self) -> int:
        """Batches per update."""
        return self.optimizer.gradient_accumulation_steps or 1

    @property
    def scale(self) -> float:
        """The factor of every learning rate: the images of an update, in units of `base_batch_size`."""
        return self.batch_size * self.accumulated / self.base_batch_size if self.base_batch_size else 1.0

    def length(self, images: int) -> RunLength:
        """The length of a run on that number of training images."""
        steps = -(-images // self.batch_size)
        updates = -(-steps // self.accumulated)
        if self.iterations is None:
            epochs = self.epochs or EPOCHS
            return RunLength(epochs, steps, updates, epochs * steps, epochs * updates)
        whole, rest = divmod(self.iterations, updates)
        last = min(rest * self.accumulated, steps)
        return RunLength(whole + bool(rest), steps, updates, whole * steps + last, self.iterations)


class RunLength(NamedTuple):
    """How long a run is. A step reads one batch; an iteration updates the weights, after one step or several."""

    epochs: int
    """`iterations` may end the run in the last of them."""
    steps_per_epoch: int
    iterations_per_epoch: int
    steps: int
    iterations: int

    def iteration(self, step: int, accumulated: int) -> int:
        """The update that a step of the run belongs to, both counted from 0."""
        epoch, inside = divmod(step, self.steps_per_epoch)
        return epoch * self.iterations_per_epoch + inside // accumulated

    def updates(self, step: int, accumulated: int) -> bool:
        """Whether an update follows a step: with accumulation after several steps, and at the end of an epoch."""
        inside = step % self.steps_per_epoch + 1
        return inside % accumulated == 0 or inside == self.steps_per_epoch


ONE_KEY = one_key_fields(Recipe)
"""Option -> the declarations that are allowed under it in the one-key form."""


def recipe(section: Mapping[str, Any]) -> Recipe:
    """`train:`, already validated, with its defaults."""
    return read_section(Recipe, section)


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as written in a spec, with every default."""
    return write_section(recipe)


@declared
class EvaluationRecipe(Declared):
    """How test images reach the network: the shortest side after resizing, and the evaluation protocols."""

    resize: int | None = arg(POSITIVE, "shortest side after resizing, pixels; by default the input's own", None)
    protocols: tuple[Protocol, ...] = arg(
        list_of(PROTOCOLS),
        "the evaluation protocols of the paper; `archspec evaluate` runs the first, and all with `--protocol spec`",
        (),
    )
    threshold: float = arg(INSIDE, "the least probability of a label that a sigmoid output decides for", 0.5)


SPEC_KEYS = ("name", "input", "layers")


def parse_recipe(text: Source) -> MappingNode:
    """A document with the recipe under `train`, as in a spec; in the file the key `train` may be left out.

    Raises ArchspecError: those of `parse_document`, and `not-a-recipe` for a whole spec.
    """
    root = parse_document(text, "recipe", "a recipe is a mapping such as `epochs: 90` and `optimizer: {sgd: 0.1}`")
    if set(SPEC_KEYS) <= set(root.entries):
        raise fail(
            "not-a-recipe",
            f"`{text.name}` is a spec, not a recipe",
            root.span.first(1),
            help="give a file with the keys of `train:` at its top level",
        )
    if set(root.entries) == {"train"}:
        return root
    return MappingNode({"train": (ScalarNode("train", "train", root.span), root)}, root.span)
