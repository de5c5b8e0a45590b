"""Summaries of a recipe for the user."""

from __future__ import annotations

from archspec.diagnostics import listed
from archspec.lang.declarations import summaries
from archspec.lang.recipes.contradictions import MIXING
from archspec.lang.recipes.recipe import Recipe, RunLength


def loss_labels(recipe: Recipe) -> dict[str, str]:
    """The name and unit of the loss, and what only the training loss has, as `draw_curves` takes them."""
    entropy = recipe.loss.name in ("categorical_crossentropy", "sparse_categorical_crossentropy")
    name, unit = ("cross-entropy", "nats") if entropy else (recipe.loss.name.replace("_", " "), "")
    smoothing = recipe.label_smoothing or getattr(recipe.loss, "label_smoothing", 0.0)
    parts = [f"label smoothing {smoothing:g}"] if smoothing else []
    parts += ["weighted classes"] if recipe.class_weight else []
    parts += [each.name for each in recipe.augment if each.name in MIXING]
    return {"loss": name, "unit": unit, "differs": listed(parts)}


def describe_recipe(recipe: Recipe, length: RunLength) -> list[str]:
    """Lines such as `30 epochs (660 updates) in batches of 64, sgd at 0.1, cosine schedule, weight decay 0.0005`."""
    epochs = f"{length.epochs} epoch{'s' if length.epochs > 1 else ''}"
    updates = f"{length.iterations:,} update{'s' if length.iterations > 1 else ''}"
    lines = [f"{epochs} ({updates}) in {', '.join(summaries(recipe))}"]
    if recipe.scale != 1:
        images, rate = recipe.batch_size * recipe.accumulated, recipe.optimizer.learning_rate
        lines.append(
            f"learning rate x {recipe.scale:g}: an update has {images:,} images, and the recipe is for "
            f"{recipe.base_batch_size:,} (`base_batch_size`); {rate:g} becomes {rate * recipe.scale:g}"
        )
    return lines
