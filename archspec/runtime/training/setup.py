"""What the epochs of a run need: the step, and the batches that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from archspec.lang.recipes.recipe import Length, Recipe
from archspec.runtime.data.files.entry import items_of
from archspec.runtime.data.files.examine import unreadable
from archspec.runtime.data.files.unchanged import Unchanged
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.pipeline.epoch_plan import plan
from archspec.runtime.data.pipeline.sharding import Share
from archspec.runtime.models.classifier import classifier_shapes, logits_of
from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.training.train_step import TrainStep
from archspec.runtime.training.trainable import Trainable
from archspec.transforms import Transform


@dataclass(frozen=True)
class Course:
    """All that the epochs need: where they run, what is trained, and the global batches."""

    strategy: Any
    model: Any
    logits_model: Any
    train_step: TrainStep
    recipe: Recipe
    length: Length
    training: Callable[[int], Any]
    """Batches of all epochs, one after the other, from that step on."""
    validation: Any
    """Batches of one pass."""
    validation_steps: int
    share: Share | None = None
    """Of several hosts: the batches are what the replicas of this one take of the global ones."""
    broken: Callable[[int], list[str]] = lambda step: []
    """Image files that cannot be read, of a training step or the validation, or have changed, and why."""
    changed: Callable[[int, int], list[str]] = lambda first, last: []
    """Image files that were read in the steps of an epoch from `first` up to `last`, and have changed, and why; where
    `last` is the end of the epoch, those of the validation too."""


def make_course(
    network: Trainable,
    job: TrainConfig,
    train_step: TrainStep,
    training: Images,
    validation: Images,
    share: Share | None = None,
) -> Course:
    """The step and the batches that it takes; of several hosts those of the share of this one."""
    recipe = job.recipe
    length = recipe.length(len(training))
    augment = cast("tuple[Transform, ...]", recipe.augment)
    seen: dict[str, Any] = {
        "input_shape": classifier_shapes(network.graph(), network.reference)[0],
        "batch_size": recipe.batch_size,
        "preprocess": network.preprocess,
        "resize": network.protocol.resize,
        "share": share,
    }
    with train_step.strategy.scope():
        logits_model = logits_of(train_step.model)

    def batches(start_step: int) -> Any:
        return training_batches(
            training,
            augment=augment,
            resample=recipe.resample,
            seed=job.seed,
            epochs=length.epochs,
            start_step=start_step,
            **seen,
        )

    each, trained, validated = (
        steps_per_epoch(len(training), recipe.batch_size),
        Unchanged(training),
        Unchanged(validation),
    )

    def rows(first: int, last: int) -> Any:
        """The training images of some steps of one epoch."""
        if training.files is None:
            return slice(0)
        order, _ = plan(import_tensorflow(), len(training), 0, job.seed, first // each)
        begin = first % each
        return order.numpy()[begin * recipe.batch_size : (begin + last - first) * recipe.batch_size]

    def broken(step: int) -> list[str]:
        here = rows(step, step + 1)
        found = unreadable(items_of(training.only(here))) if training.files is not None else []
        return found or trained.changed(here) or validated.changed()

    def changed(first: int, last: int) -> list[str]:
        found = trained.changed(rows(first, last))
        return found or (validated.changed() if last % each == 0 or last == length.steps else [])

    first = batches(0)  # what does not fit is found before anything is written
    return Course(
        strategy=train_step.strategy,
        model=train_step.model,
        logits_model=logits_model,
        train_step=train_step,
        recipe=recipe,
        length=length,
        training=lambda start_step: batches(start_step) if start_step else first,
        validation=evaluation_batches(validation, **seen),
        validation_steps=steps_per_epoch(len(validation), recipe.batch_size),
        share=share,
        broken=broken,
        changed=changed,
    )
