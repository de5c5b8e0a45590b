"""A recipe in words: a sentence for each choice, with the description of what it names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from archspec.declare import Declared
from archspec.diagnostics import counted, listed
from archspec.lang.declarations import declared_text
from archspec.lang.recipes.losses import LOSSES, CategoricalCrossentropy, Loss
from archspec.lang.recipes.recipe import Recipe, RunLength
from archspec.lang.recipes.schedules import ConstantSchedule
from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.training.records.recipe_summary import describe_recipe
from archspec.targets import OutputTarget, OutputTargets


def recipe_words(config: TrainConfig, images: int, targets: OutputTargets | None = None) -> tuple[str, ...]:
    """The sentences, in the order of the recipe.

    Args:
        images: number of training images.
        targets: what the outputs are trained on; None for one class for each image.
    """
    recipe = config.recipe
    return tuple(_sentences(config, recipe, recipe.length(images), images, targets))


def output_losses(recipe: Recipe, targets: OutputTargets | None) -> list[Loss]:
    """The loss of each output: that of the recipe where it applies to the target, else the default of the target."""
    taken = any(recipe.loss.name in each.kind.losses for each in targets or () if each.kind.name != "classes")

    def loss(target: OutputTarget) -> Loss:
        if target.kind.name == "classes":
            return CategoricalCrossentropy() if taken else recipe.loss
        return recipe.loss if recipe.loss.name in target.kind.losses else LOSSES[target.kind.losses[0]].make({})

    return [recipe.loss] if targets is None else [loss(each) for each in targets]


def described(declared: Declared) -> str:
    """`random_flip: {p: 0.5}`: mirror the image ...; the first sentence of its description."""
    words = " ".join(inspect.cleandoc(type(declared).__doc__ or "").split("\n\n")[0].split())
    return f"`{declared_text(declared)}`: {words[:1].lower()}{words[1:]}" if words else f"`{declared_text(declared)}`."


def _sentences(
    config: TrainConfig, recipe: Recipe, length: RunLength, images: int, targets: OutputTargets | None
) -> Iterator[str]:
    yield (
        f"{counted(length.epochs, 'epoch')} of {images:,} training images in batches of {recipe.batch_size:,}: "
        f"{counted(length.iterations, 'update')} of the weights"
        + (f", each after {recipe.accumulated} batches." if recipe.accumulated > 1 else ".")
    )
    yield f"Optimizer {described(recipe.optimizer)}"
    for line in describe_recipe(recipe, length)[1:]:
        yield f"{line[:1].upper()}{line[1:]}."
    if not isinstance(recipe.schedule, ConstantSchedule):
        yield f"Schedule {described(recipe.schedule)}"
    if recipe.warmup and (words := recipe.warmup.summary()):
        yield f"{words[:1].upper()}{words[1:]}, with lower learning rates: `{declared_text(recipe.warmup)}`."
    several = targets is not None and len(targets) > 1
    for number, loss in enumerate(output_losses(recipe, targets)):
        of_output = f" of `{targets[number].name}`" if targets is not None and several else ""
        yield f"Loss{of_output} {described(loss)}"
    if recipe.label_smoothing:
        yield f"Label smoothing {recipe.label_smoothing:g}: that share of the target is spread over all classes."
    if recipe.class_weight:
        weights = "balanced" if recipe.class_weight == "balanced" else "from the recipe"
        yield f"The losses of the classes are weighted: {weights}."
    if recipe.weight_decay:
        yield f"Weight decay {recipe.weight_decay:g} of {listed(recipe.decayed)}, added to the gradient."
    for rule in recipe.init:
        what = "kernels" if rule.weight is None else f"weights `{rule.weight}`"
        yield f"The {what} of `{rule.layers}` are initialized by `{declared_text(rule.initializer)}`."
    if config.init_from:
        layers = f" for {listed(config.init_map)}" if config.init_map else ""
        yield f"Training starts from the weights of `{config.init_from}`{layers}."
    if recipe.freeze:
        yield f"Not trained: {listed(recipe.freeze)}."
    for path, factor in (recipe.rate_multipliers or {}).items():
        yield f"The learning rate of `{path}` is multiplied by {factor:g}."
    if recipe.dtype_policy != "float32":
        yield f"The layers compute in {recipe.dtype_policy}."
    if recipe.early_stopping:
        yield f"Early stopping: `{declared_text(recipe.early_stopping).removeprefix(': ')}`."
