"""Contradictions between parts of a recipe, which the schema of a part cannot see."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from archspec.diagnostics import counted, listed
from archspec.lang.recipes.schedules import PiecewiseConstantDecay, StepSchedule

if TYPE_CHECKING:
    from archspec.lang.recipes.recipe import Recipe


class Contradiction(NamedTuple):
    """The path under `train:`, the fact, the remedy."""

    path: tuple[str, ...]
    message: str
    help: str | None


CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")
MIXING = ("mixup", "cutmix")


def contradictions(recipe: Recipe) -> Iterator[Contradiction]:
    """All contradictions in a recipe."""
    optimizer, loss, schedule = recipe.optimizer, recipe.loss, recipe.schedule
    if recipe.epochs is not None and recipe.iterations is not None:
        yield Contradiction(("iterations",), "`epochs` and `iterations` are mutually exclusive", "remove one")
    clips = [name for name in CLIPS if getattr(optimizer, name) is not None]
    if len(clips) > 1:
        yield Contradiction(
            ("optimizer", optimizer.name, clips[1]),
            f"gradients are clipped in {len(clips)} ways: {listed(clips)}",
            "remove all but one",
        )
    if optimizer.ema_overwrite_frequency and not optimizer.use_ema:
        fact = "`ema_overwrite_frequency` needs `use_ema: true`"
        path: tuple[str, ...] = ("optimizer", optimizer.name, "ema_overwrite_frequency")
        yield Contradiction(path, fact, "add `use_ema: true`")
    if recipe.weight_decay and optimizer.weight_decay:
        fact = f"weight decay is applied twice: coupled by `weight_decay: {recipe.weight_decay:g}`, and decoupled by "
        fact += f"{optimizer.weight_decay:g} in `{optimizer.name}`"
        alone = f"`{optimizer.name}: {{weight_decay: {recipe.weight_decay:g}}}`"
        yield Contradiction(
            ("weight_decay",),
            fact,
            f"write {alone} and remove the other, or set one to 0: `--set train.weight_decay=0`",
        )
    smoothing = getattr(loss, "label_smoothing", 0.0)
    if smoothing and recipe.label_smoothing:
        yield Contradiction(
            ("label_smoothing",), f"label smoothing is applied twice: here, and in `{loss.name}`", "remove one"
        )
    if loss.sparse:
        mixing = [each.name for each in recipe.augment if each.name in MIXING]
        mixing += ["label_smoothing"] if recipe.label_smoothing else []
        if mixing:
            yield Contradiction(
                ("loss",),
                f"`{loss.name}` needs one class per image, and `{mixing[0]}` mixes classes",
                "use `categorical_crossentropy`",
            )
    if isinstance(schedule, StepSchedule) and (schedule.epochs is None) == (schedule.iterations is None):
        what = "needs `epochs` or `iterations`" if schedule.epochs is None else "has both `epochs` and `iterations`"
        yield Contradiction(("schedule", "step"), f"`step` {what}", "for example, `step: {epochs: [30, 60]}`")
    if isinstance(schedule, PiecewiseConstantDecay):
        at = ("schedule", schedule.name)
        if len(schedule.values) != len(schedule.boundaries) + 1:
            yield Contradiction(
                at,
                f"{counted(len(schedule.values), 'value')} for {counted(len(schedule.boundaries), 'boundary')}",
                "give one more value than boundaries",
            )
        if any(one >= other for one, other in pairwise(schedule.boundaries)):
            yield Contradiction(at, "the boundaries are not in ascending order", None)
    warmup = recipe.warmup
    if warmup and warmup.epochs and warmup.iterations:
        yield Contradiction(("warmup", "iterations"), "`warmup` has both `epochs` and `iterations`", "remove one")
