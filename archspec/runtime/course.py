"""What the epochs of a run need: the step, and the batches that it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from archspec.lang.recipe import Length, Recipe
from archspec.runtime.classifier import classifier_shapes, logits_of
from archspec.runtime.data.entries import Item, items_of
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.plan import plan
from archspec.runtime.job import Job
from archspec.runtime.quiet import import_tensorflow
from archspec.runtime.step import TrainStep
from archspec.runtime.trainable import Trainable
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
    files: Callable[[int], Sequence[Item]] = lambda step: ()
    """The image files of a training step, to find the one that cannot be read."""


def make_course(
    network: Trainable,
    job: Job,
    train_step: TrainStep,
    training: Images,
    validation: Images,
) -> Course:
    """The step and the batches that it takes."""
    recipe = job.recipe
    length = recipe.length(len(training))
    augment = cast("tuple[Transform, ...]", recipe.augment)
    seen: dict[str, Any] = {
        "input_shape": classifier_shapes(network.graph(), network.reference)[0],
        "batch_size": recipe.batch_size,
        "preprocess": network.preprocess,
        "resize": network.protocol.resize,
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
        files=lambda step: _files(training, job, step),
    )


def _files(images: Images, job: Job, step: int) -> list[Item]:
    """The image files of a training step; none for images in memory."""
    if images.files is None:
        return []
    batch = job.recipe.batch_size
    epoch, done = divmod(step, steps_per_epoch(len(images), batch))
    order, _ = plan(import_tensorflow(), len(images), 0, job.seed, epoch)
    return items_of(images.only(order.numpy()[done * batch : (done + 1) * batch]))
