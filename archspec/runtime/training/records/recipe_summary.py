"""A recipe as the lines that a user reads, and as the values that run.json keeps."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.diagnostics import listed
from archspec.lang.recipes.contradictions import MIXING
from archspec.lang.recipes.recipe import Length, Recipe


def loss_labels(recipe: Recipe) -> dict[str, str]:
    """The loss, its unit, and what only that of training has, as `draw_curves` takes them."""
    entropy = recipe.loss.name in ("categorical_crossentropy", "sparse_categorical_crossentropy")
    name, unit = ("cross-entropy", "nats") if entropy else (recipe.loss.name.replace("_", " "), "")
    smoothing = recipe.label_smoothing or getattr(recipe.loss, "label_smoothing", 0.0)
    parts = [f"label smoothing {smoothing:g}"] if smoothing else []
    parts += ["weighted classes"] if recipe.class_weight else []
    parts += [each.name for each in recipe.augment if each.name in MIXING]
    return {"loss": name, "unit": unit, "differs": listed(parts)}


def describe_recipe(recipe: Recipe, length: Length) -> list[str]:
    """Lines such as `30 epochs (660 updates) in batches of 64, sgd at 0.1, cosine schedule, weight decay 0.0005`."""
    epochs = f"{length.epochs} epoch{'s' if length.epochs > 1 else ''}"
    lines = [
        f"{epochs} ({length.iterations:,} update{'s' if length.iterations > 1 else ''}) in {listed(_parts(recipe))}"
    ]
    if recipe.scale != 1:
        images, rate = recipe.batch_size * recipe.accumulated, recipe.optimizer.learning_rate
        lines.append(
            f"learning rates x {recipe.scale:g}, as {images:,} images are in an update and the recipe's rates are for "
            f"{recipe.base_batch_size:,} (`base_batch_size`): {rate:g} becomes {rate * recipe.scale:g}"
        )
    return lines


def _parts(recipe: Recipe) -> Iterator[str]:
    optimizer, warmup = recipe.optimizer, recipe.warmup
    yield f"batches of {recipe.batch_size:,}"
    if recipe.accumulated > 1:
        yield f"{recipe.accumulated} batches an update"
    yield f"{optimizer.name} at {optimizer.learning_rate:g}"
    yield f"{recipe.schedule.name} schedule"
    if warmup and (warmup.epochs or warmup.iterations):
        number, unit = (warmup.iterations, "update") if warmup.iterations else (warmup.epochs, "epoch")
        yield f"warm-up for {number:g} {unit}{'s' if number != 1 else ''}"
    if recipe.loss.name != "categorical_crossentropy":
        yield f"loss {recipe.loss.name}"
    if recipe.weight_decay:
        yield f"weight decay {recipe.weight_decay:g}"
    if optimizer.weight_decay:
        yield f"decoupled weight decay {optimizer.weight_decay:g}"
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        if getattr(optimizer, name):
            yield f"{name} {getattr(optimizer, name):g}"
    smoothing = recipe.label_smoothing or getattr(recipe.loss, "label_smoothing", 0.0)
    if smoothing:
        yield f"label smoothing {smoothing:g}"
    if recipe.class_weight:
        yield "balanced classes" if recipe.class_weight == "balanced" else "weighted classes"
    if optimizer.use_ema:
        yield f"averaged weights ({optimizer.ema_momentum:g})"
    if recipe.dtype_policy != "float32":
        yield recipe.dtype_policy
    if recipe.init:
        yield f"its own initialization of {listed(dict.fromkeys(rule.layers for rule in recipe.init), 6)}"
    if recipe.freeze:
        yield f"{listed(recipe.freeze, 6)} frozen"
    if recipe.rate_multipliers:
        yield listed((f"rate x {factor:g} for {layers}" for layers, factor in recipe.rate_multipliers.items()), 6)
    if recipe.augment:
        yield f"augmented by {listed(transform.name for transform in recipe.augment)}"
