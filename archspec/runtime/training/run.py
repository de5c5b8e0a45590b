"""A run from its first file to its last: what `train` and `resume` have in common."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from archspec.diagnostics import ArchspecError, render
from archspec.lang.recipes.evaluation_recipe import evaluation_json
from archspec.lang.recipes.recipe import recipe_json
from archspec.runtime.data.files.fingerprint import check_unchanged, fingerprint, keep_contents
from archspec.runtime.data.images import Images, typical_side
from archspec.runtime.data.pipeline.sharding import Share
from archspec.runtime.data.sources.registry import open_data
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.distributed.strategy import Devices, describe, make_strategy, worker_share
from archspec.runtime.distributed.worker_errors import worker_lost_errors
from archspec.runtime.models.classifier import check_classes, classifier_shapes
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.runs import run_directory
from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.system.signals import Interrupt
from archspec.runtime.training.example_image import example_image
from archspec.runtime.training.initial_model import starting_model
from archspec.runtime.training.loop import Run, run_epochs
from archspec.runtime.training.optimization.class_weight import class_weights
from archspec.runtime.training.optimization.lr_schedule import check_monitors
from archspec.runtime.training.records.checkpoint import Checkpoints, files, parse_every, sizes
from archspec.runtime.training.records.mlflow_log import MlflowLog
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.records.recipe_summary import describe_recipe, loss_words
from archspec.runtime.training.records.recipe_warnings import recipe_notes, sees_grey_levels
from archspec.runtime.training.records.run_logger import Record, threads, timestamp, versions
from archspec.runtime.training.resume import Resumed
from archspec.runtime.training.run_result import RunResult
from archspec.runtime.training.setup import Course, make_course
from archspec.runtime.training.train_step import TrainStep
from archspec.runtime.training.trainable import Trainable
from archspec.runtime.weights.freeze import rate_factors


def carry_out(
    network: Trainable,
    job: TrainConfig,
    directory: Path,
    held: contextlib.ExitStack,
    *,
    devices: Devices,
    mlflow: bool,
    cluster: Cluster | None,
    progress: TrainingProgress,
    resumed: Resumed | None = None,
    overwrite: bool = False,
    named: bool = True,
) -> RunResult:
    """Train from the start, or go on with an earlier run. Raises as `train` and `resume` say.

    held: keeps a new directory for this process alone, as long as the caller has it open.
    named: whether the user has named the directory; otherwise several processes take the chief's.
    """
    chief, every = not cluster or cluster.is_chief, parse_every(job.checkpoint_every)
    if cluster:
        progress.quiet = progress.quiet or not chief
        progress.note(f"{cluster.name(cluster.index)}: waiting for all {len(cluster.workers)} workers")
    reference = resumed.settings["reference"] if resumed else network.reference
    input_shape, classes = classifier_shapes(network.graph(), reference)
    check_monitors(job.recipe, classes)
    strategy = make_strategy(devices, cluster, progress.note)
    collectives = Collectives(strategy, cluster)
    page = resumed.page if resumed else network.resolved_text()
    _same(collectives, page, job)
    common = Path(collectives.broadcast(str(directory)))
    directory = directory if named else common
    sides: tuple[Literal["train", "validation"], ...] = ("train", "validation")
    training, validation = (_open(job, split, input_shape[-1], classes, progress) for split in sides)
    check_classes(classes, len(training.class_names), job.data)
    parts = {"training": training, "validation": validation}
    fingerprints = {part: fingerprint(images) for part, images in parts.items()}
    if resumed:
        before, kept = resumed.settings["fingerprints"], directory / run_directory.IMAGES
        check_unchanged(before, fingerprints, job.data, parts, kept, progress.note)
    checkpoint = resumed.checkpoint if resumed else None
    share = worker_share(strategy, cluster) if cluster else None
    course = _course(network, job, strategy, training, validation, share, progress, goes_on=checkpoint is not None)
    machine = {"devices": describe(strategy, cluster), "threads": threads(), "versions": versions()}
    settings = {
        "reference": reference,
        "name": network.name,
        "protocol": evaluation_json(network.protocol),
        **job.to_json(),
        "images": {"training": len(training), "validation": len(validation)},
        "fingerprints": fingerprints,
        "class_names": training.class_names,
        **machine,
        "resumed": [],
    }
    if resumed:
        now = {"fingerprints": fingerprints, "data": job.data, "checkpoint_every": job.checkpoint_every}
        settings = {**resumed.go_on(machine, timestamp(), progress.note), **now}
    elif chief:
        held.enter_context(run_directory.created(directory, overwrite=overwrite))
    metadata = Metadata(
        reference=reference,
        page=page,
        class_names=training.class_names,
        preprocess=network.preprocess,
        resize=network.protocol.resize,
    )
    record = _record(directory, network.name, job, settings, metadata, writes=chief, mlflow=mlflow, progress=progress)
    progress.note(
        f"{network.name}: {course.model.count_params():,} parameters, {len(training):,} training and "
        f"{len(validation):,} validation images of {len(training.class_names)} classes, on {machine['devices']}"
    )
    notes = recipe_notes(
        job.recipe,
        course.length,
        len(training),
        on_cpu="GPU" not in machine["devices"],
        weights=[weight.name for weight in course.model.trainable_variables],
        raw=sees_grey_levels(network.graph(), network.preprocess),
    )
    for line in (*describe_recipe(job.recipe, course.length), *notes):
        progress.note(line)
    if not resumed:
        for warning in network.warnings(typical_side(training) if len(input_shape) == 3 else None):
            progress.note(render(warning))
    progress.note(f"writing {directory}" if chief else "worker 0 writes the files")
    with Interrupt(progress.note) as interrupt, progress:
        progress.start(course.length.epochs, course.length.steps_per_epoch, top5=classes > 5)
        try:
            with worker_lost_errors(cluster, f" with `--resume {directory}`"):
                collectives.check_equal("images", fingerprints)
                run = Run(course, record, progress, Checkpoints(directory, every), interrupt, collectives)
                start = run.load(checkpoint) if checkpoint else None
                if start and checkpoint:
                    record.restore(checkpoint.state["record"])
                    steps = course.length.steps_per_epoch
                    progress.note(f"going on from epoch {start.epoch + 1}, after {start.done} of its {steps} steps")
                collectives.check_equal("checkpoint", start)
                if cluster:
                    collectives.check_close("initial weights", sizes(course.train_step.variables()))
                if chief:
                    keep_contents(directory / run_directory.IMAGES, parts)
                record.begin()
                interrupted = run_epochs(run, start)
            with course.train_step.averaged():
                seconds = record.finish(interrupted=interrupted, model=course.model if interrupted else None)
        except KeyboardInterrupt:  # the second Ctrl-C
            if files(directory):
                progress.note(f"stopped; `archspec train --resume {directory}` goes on from the last checkpoint")
            raise
        except ArchspecError as error:
            record.failed(error)
            raise with_the_way_back(error, directory) from error
        collectives.barrier(need_chief=True)
    best = record.best or {}
    return RunResult(
        directory=directory,
        signal=(interrupt.signal or signal.SIGTERM) if interrupted else None,
        epochs=len(record.rows),
        seconds=seconds,
        best_epoch=best.get("epoch"),
        best_top1=best.get("val_top1"),
        data_arguments=job.data_arguments,
        example=example_image(directory, validation),
    )


def with_the_way_back(error: ArchspecError, directory: Path) -> ArchspecError:
    """The error of a full disk says how the run goes on when that is mended; others are as they were."""
    if not files(directory):
        return error
    note = f"the last checkpoint is kept, and the run goes on from it: `archspec train --resume {directory}`"
    found = [each.with_notes(note) if each.code == "cannot-write" else each for each in error.diagnostics]
    return ArchspecError(*found)


def _same(collectives: Collectives, page: str, job: TrainConfig) -> None:
    """Before anything is made of them; each host may have the data at another place."""
    collectives.check_equal("network", page)
    collectives.check_equal("recipe", job.recipe)
    options = [field.name for field in dataclasses.fields(job) if field.name not in ("data", "recipe")]
    collectives.check_equal("options of `train`", [getattr(job, name) for name in options])


def _course(
    network: Trainable,
    job: TrainConfig,
    strategy: Any,
    training: Images,
    validation: Images,
    share: Share | None,
    progress: TrainingProgress,
    *,
    goes_on: bool,
) -> Course:
    """The network, the step that trains it, and its batches."""
    graph, recipe = network.graph(), job.recipe
    weights = class_weights(recipe.class_weight, training.class_names, training.labels)
    model = starting_model(network, job, strategy, progress.note, goes_on=goes_on)
    train_step = TrainStep(
        strategy,
        model,
        recipe,
        loss_weights=graph.loss_weights,
        class_weight=weights,
        rate_factors=rate_factors(model, graph, recipe.rate_multipliers),
    )
    return make_course(network, job, train_step, training, validation, share)


def _record(
    directory: Path,
    name: str,
    job: TrainConfig,
    settings: Mapping[str, Any],
    metadata: Metadata,
    *,
    writes: bool,
    mlflow: bool,
    progress: TrainingProgress,
) -> Record:
    """The files of the run, and its log in MLflow where that is asked for."""
    log = None
    if mlflow and writes:
        settings = {"mlflow": None, **settings}
        params = {"reference": metadata.reference, "data": job.data, "seed": job.seed, "train": recipe_json(job.recipe)}
        log = MlflowLog(directory.name, params, settings["mlflow"], progress.note)
    page, words = metadata.page or "", loss_words(job.recipe)
    return Record(directory, name, page, dict(settings), metadata, writes=writes, mlflow=log, loss=words)


def _open(
    job: TrainConfig,
    split: Literal["train", "validation"],
    channels: int | None,
    classes: int,
    progress: TrainingProgress,
) -> Images:
    return open_data(
        job.data,
        split,
        validation_split=job.validation_split,
        seed=job.seed,
        skip_bad_images=job.skip_bad_images,
        channels=channels or 3,
        classes=classes,
        report=progress.note,
    )
