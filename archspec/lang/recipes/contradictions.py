"""What two parts of a recipe say against each other, which no schema of one part sees."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import listed
from archspec.lang.recipes.keras_schedules import PiecewiseConstantDecay
from archspec.lang.recipes.schedules import StepSchedule

if TYPE_CHECKING:
    from archspec.lang.recipes.recipe import Recipe


class Contradiction(NamedTuple):
    """Where in `train:`, the fact, the remedy."""

    path: tuple[str, ...]
    message: str
    help: str | None


CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
MIXING = ("mixup", "cutmix")


def contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    """All of a recipe."""
    optimizer, loss, schedule = recipe.optimizer, recipe.loss, recipe.schedule
    if recipe.epochs is not None and recipe.iterations is not None:
        yield Contradiction(
            ("iterations",), "a recipe has `epochs` or `iterations`, and this one has both", "remove one"
        )
    clips = [name for name in CLIPS if getattr(optimizer, name) is not None]
    if len(clips) > 1:
        fact = f"gradients are clipped in one way, and here in {len(clips)}: {listed(clips)}"
        yield Contradiction(("optimizer", optimizer.name, clips[1]), fact, "remove all but one")
    if optimizer.ema_overwrite_frequency and not optimizer.use_ema:
        fact = "the weights are to be overwritten by their average, and there is none"
        path: tuple[str, ...] = ("optimizer", optimizer.name, "ema_overwrite_frequency")
        yield Contradiction(path, fact, "add `use_ema: true`")
    if recipe.weight_decay and optimizer.weight_decay:
        fact = f"weights decay twice: by `weight_decay: {recipe.weight_decay:g}` in the gradient, and by "
        fact += f"{optimizer.weight_decay:g} in `{optimizer.name}`, decoupled"
        alone = f"`{optimizer.name}: {{weight_decay: {recipe.weight_decay:g}}}`"
        help = f"write {alone} and remove the other, or set one to 0: `--set train.weight_decay=0`"
        yield Contradiction(("weight_decay",), fact, help)
    smoothing = getattr(loss, "label_smoothing", 0.0)
    if smoothing and recipe.label_smoothing:
        fact = f"labels are smoothed twice: here, and in `{loss.name}`"
        yield Contradiction(("label_smoothing",), fact, "remove one")
    if loss.sparse:
        mixing = [each.name for each in recipe.augment if each.name in MIXING]
        mixing += ["label_smoothing"] if recipe.label_smoothing else []
        if mixing:
            fact = f"`{loss.name}` takes one class an image, and `{mixing[0]}` makes it several"
            yield Contradiction(("loss",), fact, "use `categorical_crossentropy`")
    if isinstance(schedule, StepSchedule) and (schedule.epochs is None) == (schedule.iterations is None):
        both = "neither" if schedule.epochs is None else "both"
        fact = f"`step` drops at `epochs` or at `iterations`, and has {both}"
        yield Contradiction(("schedule", "step"), fact, "write for example `step: {epochs: [30, 60]}`")
    if isinstance(schedule, PiecewiseConstantDecay):
        at = ("schedule", schedule.name)
        if len(schedule.values) != len(schedule.boundaries) + 1:
            fact = f"{len(schedule.values)} values for {len(schedule.boundaries)} boundaries"
            yield Contradiction(at, fact, "there is one value more than boundaries")
        if any(one >= other for one, other in pairwise(schedule.boundaries)):
            yield Contradiction(at, "the boundaries do not rise", None)
    warmup = recipe.warmup
    if warmup and warmup.epochs and warmup.iterations:
        yield Contradiction(("warmup", "iterations"), "`warmup` has both `epochs` and `iterations`", "remove one")
