"""A recipe as the lines that a user reads, and as the values that run.json keeps."""

from __future__ import annotations

import dataclasses
from typing import Any

from archspec.diagnostics import listed
from archspec.lang.recipe import Recipe, plain


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a page would say it, with every default."""
    return {
        **{field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)},
        "optimizer": plain(recipe.optimizer),
        "schedule": plain(recipe.schedule),
        "augment": [plain(transform) for transform in recipe.augment],
    }


def describe_recipe(recipe: Recipe) -> str:
    """`30 epochs of batches of 64, sgd 0.1 (momentum 0.9), cosine, weight decay 0.0001, pad, random_crop`."""
    optimizer = recipe.optimizer
    parts = [
        f"{recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''} in batches of {recipe.batch_size}",
        f"{optimizer.name} at {optimizer.learning_rate:g}",  # type: ignore[attr-defined]
        f"{recipe.schedule.name} schedule",
    ]
    parts += [f"weight decay {recipe.weight_decay:g}"] if recipe.weight_decay else []
    parts += [f"label smoothing {recipe.label_smoothing:g}"] if recipe.label_smoothing else []
    parts += [f"augmented by {listed(transform.name for transform in recipe.augment)}"] if recipe.augment else []
    return listed(parts)
