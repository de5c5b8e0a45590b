"""The training setup: a network with its initial weights on its devices, the train step and the batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.lang.recipes.recipe import Recipe, RunLength
from archspec.runtime.data.files.encoded_image import encoded_images
from archspec.runtime.data.files.file_checks import ChangeDetector, unreadable
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.pipeline.epoch_plan import Share, epoch_plan
from archspec.runtime.distributed.strategy import worker_share
from archspec.runtime.models.classifier import scores_of, training_targets
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.runtime.training.optimization.losses import class_weights
from archspec.runtime.training.run_request import RunRequest
from archspec.runtime.training.train_step import TrainStep
from archspec.runtime.weights import load_weights
from archspec.runtime.weights.freeze import freeze, rate_factors
from archspec.runtime.weights.initial_weights import initialize, initialize_from
from archspec.targets import OutputTargets
from archspec.transforms import Transform

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def initial_model(request: RunRequest, strategy: tf.distribute.Strategy) -> keras.Model:
    """The network on its devices, in the precision of the recipe, with initial weights from the seed or from a file.

    A file is not read if a checkpoint will replace the weights.

    Raises:
        ArchspecError: those of `load_weights` and `initialize_from`.
    """
    import keras

    network, config, graph = request.network, request.config, request.network.graph()
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        import_tensorflow().config.experimental.enable_op_determinism()
    with _dtype_policy(config.recipe.dtype_policy), strategy.scope():
        model = network.build()
        initialize(model, graph, config.recipe.init)
    if config.init_from is not None and not (request.resumed and request.resumed.checkpoint):
        if config.init_map:
            lines = initialize_from(
                model, graph, config.init_from, config.init_map, adapt_input=config.adapt_input
            ).table()
        else:
            matching = load_weights(model, config.init_from, graph=graph, new_head=True, adapt_input=config.adapt_input)
            lines = [matching.describe(config.init_from)]
        for line in lines:
            request.progress.note(line)
    freeze(model, graph, config.recipe.freeze)
    return model


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Layers that are made inside the context have this dtype policy (`keras.dtype_policies`)."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@dataclass(frozen=True)
class TrainingSetup:
    """What the epochs of a run need: devices, model, train step and global batches."""

    strategy: tf.distribute.Strategy
    model: keras.Model
    logits_model: keras.Model
    train_step: TrainStep
    recipe: Recipe
    length: RunLength
    targets: OutputTargets
    loss_weights: tuple[float, ...]
    training: Callable[[int], Any]
    """The batches of all epochs in order, starting from a step of the run."""
    validation: Any
    """The batches of one validation."""
    validation_steps: int
    share: Share | None
    """With several workers: `training` and `validation` hold this share of the global batches."""
    files: FileChecks


@dataclass(frozen=True)
class FileChecks:
    """Checks the image files of a run again, to name those that can no longer be read or have changed."""

    training: Images
    validation: Images
    seed: int
    batch_size: int
    length: RunLength
    unchanged: tuple[ChangeDetector, ChangeDetector]
    """Of the training and validation images."""

    def unreadable(self, step: int) -> list[str]:
        """Files that a training step or the validation cannot read, each with the reason."""
        rows = self._rows(step, step + 1)
        training, validation = self.unchanged
        return unreadable(encoded_images(self.training.only(rows))) or training.changed(rows) or validation.changed()

    def changed(self, first: int, last: int) -> list[str]:
        """Files that have changed since the steps of one epoch from `first` up to `last` read them, with the reason.

        When `last` is the end of the epoch, the validation images are included.
        """
        training, validation = self.unchanged
        found = training.changed(self._rows(first, last))
        ends_epoch = last % self.length.steps_per_epoch == 0 or last == self.length.steps
        return found or (validation.changed() if ends_epoch else [])

    def _rows(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Indices of the training images of some steps of one epoch."""
        if self.training.files is None:
            return np.zeros(0, np.int64)
        epoch, start = divmod(first, self.length.steps_per_epoch)
        order, _ = epoch_plan(import_tensorflow(), len(self.training), 0, self.seed, epoch)
        rows: npt.NDArray[np.int64] = order.numpy()
        return rows[start * self.batch_size : (start + last - first) * self.batch_size]


def _check_recipe(recipe: Recipe, targets: OutputTargets) -> None:
    """Raises ArchspecError (`recipe`) for settings that need one class for each image."""
    kinds = {target.kind.name for target in targets}
    if recipe.class_weight is not None and (len(targets) > 1 or not kinds <= {"classes", "binary"}):
        fact = "`class_weight` weights images by their class, but "
        fact += "the network has several outputs" if len(targets) > 1 else "an image has no single class"
        raise fail("recipe", fact, help="remove `class_weight`")
    if "numbers" in kinds and (recipe.label_smoothing or getattr(recipe.loss, "label_smoothing", 0)):
        raise fail("recipe", "`label_smoothing` does not apply to numbers", help="remove `label_smoothing`")


def make_setup(request: RunRequest, strategy: tf.distribute.Strategy, images: Mapping[str, Images]) -> TrainingSetup:
    """The model with its initial weights, the train step and the batches.

    Args:
        images: `training` and `validation`.

    Raises:
        ArchspecError: those of `class_weights`, `load_weights`, `initialize_from`, `training_batches` and
            `evaluation_batches`.
    """
    network, config, recipe = request.network, request.config, request.config.recipe
    training, validation, graph = images["training"], images["validation"], network.graph()
    input_shape, targets = training_targets(graph, network.reference, recipe.loss.name)
    targets = training.targets or OutputTargets((replace(targets[0], class_names=training.class_names),))
    _check_recipe(recipe, targets)
    weights = class_weights(recipe.class_weight, training.class_names, training.labels)
    model = initial_model(request, strategy)
    train_step = TrainStep(
        strategy,
        model,
        recipe,
        loss_weights=graph.loss_weights,
        class_weight=weights,
        rate_factors=rate_factors(model, graph, recipe.rate_multipliers),
        targets=targets,
    )
    share = worker_share(strategy, request.cluster) if request.cluster else None
    length = recipe.length(len(training))
    pipeline: dict[str, Any] = {
        "input_shape": input_shape,
        "batch_size": recipe.batch_size,
        "preprocess": network.preprocess,
        "resize": network.protocol.resize,
        "share": share,
    }
    with strategy.scope():
        logits_model = scores_of(model, targets)

    def batches(start_step: int) -> Any:
        return training_batches(
            training,
            augment=cast("tuple[Transform, ...]", recipe.augment),
            resample=recipe.resample,
            seed=config.seed,
            epochs=length.epochs,
            start_step=start_step,
            **pipeline,
        )

    first = batches(0)  # made here, so that mistakes are reported before anything is written
    unchanged = ChangeDetector(training), ChangeDetector(validation)
    return TrainingSetup(
        strategy=strategy,
        model=model,
        logits_model=logits_model,
        train_step=train_step,
        recipe=recipe,
        length=length,
        targets=targets,
        loss_weights=graph.loss_weights,
        training=lambda start_step: batches(start_step) if start_step else first,
        validation=evaluation_batches(validation, **pipeline),
        validation_steps=steps_per_epoch(len(validation), recipe.batch_size),
        share=share,
        files=FileChecks(training, validation, config.seed, recipe.batch_size, length, unchanged),
    )
