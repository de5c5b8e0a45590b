"""Train a network: `train(network, "digits")` from a page and labelled images to a run directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from archspec.diagnostics import ArchspecError
from archspec.lang.protocol import EvaluationRecipe, protocol_json
from archspec.lang.recipe import Recipe
from archspec.runtime import run_directory
from archspec.runtime.class_weight import class_weights
from archspec.runtime.classifier import check_classes, classifier_shapes, logits_of
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.source import open_data
from archspec.runtime.epoch import Course, run_epochs
from archspec.runtime.interrupt import Interrupt
from archspec.runtime.metadata import Metadata
from archspec.runtime.progress import TrainingProgress
from archspec.runtime.recipe_text import describe_recipe, recipe_json
from archspec.runtime.record import Record, threads, versions
from archspec.runtime.run_result import RunResult
from archspec.runtime.step import TrainStep
from archspec.runtime.strategy import Devices, describe, make_strategy
from archspec.runtime.weights import described, load_weights
from archspec.runtime.write import atomic
from archspec.transforms import Transform


class Trainable(Protocol):
    """What is trained: `archspec.Network`."""

    @property
    def name(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def protocol(self) -> EvaluationRecipe: ...
    @property
    def preprocess(self) -> tuple[Any, ...]: ...
    def graph(self) -> Any: ...
    def build(self) -> Any: ...
    def resolved_text(self) -> str: ...


def train(
    network: Trainable,
    data: str,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    recipe: Recipe | None = None,
    devices: Devices = None,
    seed: int = 0,
    validation_split: float | None = None,
    skip_bad_images: bool = False,
    init_from: str | None = None,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Train a network on a data source and leave a run directory (`run_directory` says what is in it).

    Args:
        network: of `archspec.load`.
        data: `digits`, an .npz file or a folder, as `open_data` reads them.
        out: the run directory; `runs/NAME-YYYYmmdd-HHMMSS` by default.
        overwrite: replace an earlier run in `out`.
        recipe: instead of the page's own.
        devices: see `make_strategy`.
        seed: of initial weights, dropout, the order of images and their augmentation.
        validation_split: share of the images kept for validation, where the source has no split.
        skip_bad_images: leave out files that are not images.
        init_from: a file of weights to start from, or `keras:imagenet`; the classifier is new where the classes differ.
        progress: where the user looks on; a TrainingProgress on standard error by default.

    Ctrl-C ends the run after the step under way, with all its files in order and `interrupted` in the result.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`, `devices`, `classes-mismatch`, `no-classifier`, `free-input`,
            `diverged` when the loss is no longer a number, and what `open_data` raises.
    """
    progress = progress or TrainingProgress()
    recipe = recipe or network.recipe
    directory = run_directory.choose(out, network.name)
    run_directory.refuse_existing(directory, overwrite=overwrite)
    input_shape, classes = classifier_shapes(network.graph(), network.reference)
    strategy = make_strategy(devices)
    import keras

    opening: dict[str, Any] = {
        "validation_split": validation_split,
        "seed": seed,
        "skip_bad_images": skip_bad_images,
        "channels": input_shape[-1],
        "report": progress.note,
    }
    training = open_data(data, "train", **opening)
    validation = open_data(data, "validation", **opening)
    check_classes(classes, len(training.class_names), data)
    weights = class_weights(recipe.class_weight, training.class_names, training.labels)
    with _precision(recipe.dtype_policy), strategy.scope():
        keras.utils.set_random_seed(seed)
        model = network.build()
    if init_from is not None:
        matching = load_weights(model, init_from, graph=network.graph(), new_head=True)
        progress.note(described(matching, init_from))
    train_step = TrainStep(strategy, model, recipe, loss_weights=network.graph().loss_weights, class_weight=weights)
    course = _course(network, train_step, training, validation, input_shape, seed)
    run_directory.create(directory)
    metadata = Metadata(
        reference=network.reference,
        page=network.resolved_text(),
        class_names=training.class_names,
        preprocess=network.preprocess,
        resize=network.protocol.resize,
    )
    settings = {
        "reference": network.reference,
        "name": network.name,
        "recipe": recipe_json(recipe),
        "protocol": protocol_json(network.protocol),
        "seed": seed,
        "init_from": init_from,
        "data": data,
        "validation_split": validation_split,
        "images": {"training": len(training), "validation": len(validation)},
        "class_names": training.class_names,
        "devices": describe(strategy),
        "threads": threads(),
        "versions": versions(),
    }
    record = Record(directory, network.name, network.resolved_text(), settings, metadata)
    progress.note(
        f"{network.name}: {course.model.count_params():,} parameters, {len(training):,} training and "
        f"{len(validation):,} validation images of {len(training.class_names)} classes, on {describe(strategy)}"
    )
    for line in describe_recipe(recipe, course.length):
        progress.note(line)
    progress.note(f"writing {directory}")
    with Interrupt(progress.note) as interrupt, progress:
        progress.start(course.length.epochs, course.length.steps_per_epoch)
        try:
            interrupted = run_epochs(course, record, progress, interrupt)
        except ArchspecError as error:
            record.failed(error)
            raise
        seconds = record.finish(interrupted=interrupted, model=course.model if interrupted else None)
    best = record.best or {}
    split = [] if validation_split is None else ["--validation-split", f"{validation_split:g}", "--seed", str(seed)]
    return RunResult(
        directory=directory,
        interrupted=interrupted,
        epochs=len(record.rows),
        seconds=seconds,
        best_epoch=best.get("epoch"),
        best_top1=best.get("val_top1"),
        data_arguments=("--data", data, *split),
        example=_example(directory, validation),
    )


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Layers that are made inside compute in that precision (`keras.dtype_policies`)."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _course(
    network: Trainable,
    train_step: TrainStep,
    training: Images,
    validation: Images,
    input_shape: tuple[int, ...],
    seed: int,
) -> Course:
    """The step and the batches that it takes."""
    recipe = train_step.recipe
    length = recipe.length(len(training))
    augment = cast("tuple[Transform, ...]", recipe.augment)
    seen: dict[str, Any] = {
        "input_shape": input_shape,
        "batch_size": recipe.batch_size,
        "preprocess": network.preprocess,
        "resize": network.protocol.resize,
    }
    with train_step.strategy.scope():
        logits_model = logits_of(train_step.model)
    return Course(
        strategy=train_step.strategy,
        model=train_step.model,
        logits_model=logits_model,
        train_step=train_step,
        recipe=recipe,
        length=length,
        training=training_batches(
            training, augment=augment, resample=recipe.resample, seed=seed, epochs=length.epochs, **seen
        ),
        validation=evaluation_batches(validation, **seen),
        validation_steps=steps_per_epoch(len(validation), recipe.batch_size),
    )


def _example(directory: Path, images: Images) -> Path | None:
    """A file with one of the images, written into the run when they come from memory; None for what is no image."""
    if images.files is not None:
        return Path(images.files[0])
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        return None
    from PIL import Image

    with atomic(directory / "example.png") as temporary:
        Image.fromarray(pixels[0].squeeze(-1) if pixels.shape[-1] == 1 else pixels[0]).save(temporary)
    return directory / "example.png"
