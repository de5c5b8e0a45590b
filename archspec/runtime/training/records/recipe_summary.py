"""What a user reads of a recipe before a run: its summary, and settings without effect or with an unexpected one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.diagnostics import counted, listed
from archspec.graph.ir import Graph
from archspec.lang.declarations import summaries
from archspec.lang.recipes.contradictions import MIXING
from archspec.lang.recipes.recipe import Recipe, RunLength
from archspec.lang.recipes.schedules import PlateauSchedule, StepSchedule

ENTROPIES = {
    "categorical_crossentropy": "cross-entropy",
    "sparse_categorical_crossentropy": "cross-entropy",
    "binary_crossentropy": "binary cross-entropy",
}


def loss_labels(recipe: Recipe, losses: Sequence[str] = ()) -> dict[str, str]:
    """The name and unit of the loss, and what only the training loss has, as `draw_curves` takes them.

    losses: the names of the losses of all targets; by default that of the recipe.
    """
    first = losses[0] if losses else recipe.loss.name
    name, unit = ENTROPIES.get(first, first.replace("_", " ")), "nats" if first in ENTROPIES else ""
    if len(losses) > 1:
        name, unit = "weighted sum of the losses", ""
    smoothing = recipe.label_smoothing or getattr(recipe.loss, "label_smoothing", 0.0)
    parts = [f"label smoothing {smoothing:g}"] if smoothing else []
    parts += ["weighted classes"] if recipe.class_weight else []
    parts += [each.name for each in recipe.augment if each.name in MIXING]
    return {"loss": name, "unit": unit, "differs": listed(parts)}


def describe_recipe(recipe: Recipe, length: RunLength) -> list[str]:
    """Lines such as `30 epochs (660 updates) in batches of 64, sgd at 0.1, cosine schedule, weight decay 0.0005`."""
    epochs = counted(length.epochs, "epoch")
    updates = counted(length.iterations, "update")
    lines = [f"{epochs} ({updates}) in {', '.join(summaries(recipe))}"]
    if recipe.scale != 1:
        images, rate = recipe.batch_size * recipe.accumulated, recipe.optimizer.learning_rate
        lines.append(
            f"learning rate x {recipe.scale:g}: an update has {counted(images, 'image')}, and the recipe is for "
            f"{recipe.base_batch_size:,} (`base_batch_size`); {rate:g} becomes {rate * recipe.scale:g}"
        )
    return lines


SCALING = frozenset({"rescale", "normalize", "bn", "layer_norm", "group_norm"})
"""Layers that scale or normalize pixels, or whatever enters them."""


def recipe_warnings(
    recipe: Recipe, length: RunLength, images: int, *, on_cpu: bool, weights: Sequence[str] = (), raw: bool = False
) -> list[str]:
    """Lines that start with `note:`.

    Args:
        length: of the run.
        images: number of training images.
        weights: names of the trainable weights.
        raw: the result of `sees_raw_pixels`.
    """
    lines = [*_notes(recipe, length, images, on_cpu=on_cpu), *_undecayed(recipe, weights)]
    if raw:
        lines.append(
            "the spec has no `preprocess`: pixels are fed as 0 to 255 (`preprocess: [scale]` makes them 0 to 1)"
        )
    return [f"note: {line}" for line in lines]


def sees_raw_pixels(graph: Graph, preprocess: Sequence[object]) -> bool:
    """Whether the pixels of images are scaled neither by the spec nor by the first layers."""
    first = {type(node.op).name for node in graph.layers if 0 in node.inputs}
    return len(graph.input_shape) == 3 and not preprocess and not first & SCALING


def _undecayed(recipe: Recipe, weights: Sequence[str]) -> Iterator[str]:
    if weights and (recipe.weight_decay or recipe.optimizer.weight_decay):
        for name in recipe.decayed:
            if not any(weight.endswith(name) for weight in weights):
                yield f"`decayed` has `{name}`, but no weight of the network has a name that ends in it"


def _notes(recipe: Recipe, length: RunLength, images: int, *, on_cpu: bool) -> Iterator[str]:
    each, schedule = length.iterations_per_epoch, recipe.schedule
    if recipe.batch_size > images:
        fact = f"all {images:,} training images are in one batch, as the batch size is {recipe.batch_size:,}"
        remedy = f"; `--batch-size {images}` scales the learning rates down"
        yield fact + remedy * (recipe.base_batch_size is not None)
    if recipe.warmup and recipe.warmup.length(each) >= length.iterations:
        yield "the warm-up lasts until the end of the run: no update uses the full learning rate"
    if isinstance(schedule, StepSchedule):
        marks = [(mark * each, f"epoch {mark:g}") for mark in schedule.epochs or ()]
        marks += [(mark, f"update {mark:,.12g}") for mark in schedule.iterations or ()]
        late = [name for at, name in marks if at >= length.iterations]
        if late:
            which = "any drop" if len(late) == len(marks) else "a drop"
            yield f"the run ends before {which} of the `step` schedule, at {listed(late)}"
    if (
        isinstance(schedule, PlateauSchedule) and length.epochs < max(schedule.patience, 1) + 2
    ):  # the first epoch is the best
        waits = counted(schedule.patience, "epoch")
        waits += f" without a better {schedule.monitor}"
        yield f"`plateau` never lowers the learning rate: it waits for {waits}, and the run has {length.epochs}"
    if on_cpu and recipe.dtype_policy == "mixed_float16":
        yield "on a CPU float16 is many times slower than float32; `mixed_bfloat16` is faster"
