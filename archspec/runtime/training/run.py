"""The four steps of a training run: prepare, announce, run, finish. `train` and `resume` share them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import ArchspecError, counted, listed, render
from archspec.lang.declarations import write_section
from archspec.runtime.data.files.encoded_image import typical_side
from archspec.runtime.data.files.fingerprint import check_unchanged, fingerprint, keep_contents
from archspec.runtime.data.images import Images, shared_line
from archspec.runtime.data.sources.dataset import listed_parts, open_data
from archspec.runtime.data.sources.parts import Parts
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.distributed.strategy import describe, make_strategy
from archspec.runtime.distributed.worker_errors import worker_lost_errors
from archspec.runtime.models.classifier import training_targets
from archspec.runtime.models.custom_layers import check_loadable
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.runs import run_directory
from archspec.runtime.system.processor import processor
from archspec.runtime.system.signals import StopRequest, stop_requests
from archspec.runtime.training.loop import Trainer, figures, run_epochs
from archspec.runtime.training.optimization.losses import output_loss
from archspec.runtime.training.optimization.lr_schedule import check_monitors, history_columns
from archspec.runtime.training.records.checkpoint import (
    CheckpointInterval,
    Checkpoints,
    ProgressState,
    files,
    parse_interval,
    sizes,
)
from archspec.runtime.training.records.mlflow_log import MlflowLog
from archspec.runtime.training.records.recipe_summary import (
    describe_recipe,
    loss_labels,
    recipe_warnings,
    sees_raw_pixels,
)
from archspec.runtime.training.records.run_logger import RunLogger, threads, timestamp, versions
from archspec.runtime.training.run_request import RunRequest
from archspec.runtime.training.run_result import RunResult, example_file, write_example
from archspec.runtime.training.setup import TrainingSetup, make_setup
from archspec.targets import OutputTargets

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class PreparedRun:
    """Everything that training needs. Nothing has been trained or written yet, except the new directory."""

    request: RunRequest
    directory: Path
    collectives: Collectives
    images: Mapping[str, Images]
    """`training` and `validation`."""
    fingerprints: Mapping[str, Mapping[str, Any]]
    setup: TrainingSetup
    devices: str
    """`1 CPU`, `2 GPUs`."""
    checkpoint_interval: CheckpointInterval
    logger: RunLogger


@dataclass(frozen=True)
class EndedRun:
    """A run that reached its end or was interrupted. All its files are written."""

    prepared: PreparedRun
    signal: int | None
    """The signal that interrupted the run."""
    seconds: float
    """The duration of training, with the time before a resume."""


def train_and_record(request: RunRequest, held: contextlib.ExitStack) -> RunResult:
    """All four steps. Raises what `train` and `resume` raise.

    held: keeps the lock of the directory until the caller closes it.
    """
    prepared = prepare(request, held)
    announce(prepared)
    with stop_requests(request.progress.note) as stop, request.progress:
        result = finish(run(prepared, stop))
        return result if result.interrupted else dataclasses.replace(result, late_signal=stop.signal)


def prepare(request: RunRequest, held: contextlib.ExitStack) -> PreparedRun:
    """Wait for the other workers, open the data, build the network, and make the directory of a new run."""
    network, config, progress, resumed = request.network, request.config, request.progress, request.resumed
    interval = parse_interval(config.checkpoint_every)
    progress.quiet = progress.quiet or not request.is_chief
    input_shape, targets = training_targets(network.graph(), request.reference, config.recipe.loss.name)
    channels = input_shape[-1] or 3
    parts = None
    if request.cluster is None:  # several workers meet first: otherwise the others would wait for one with an error
        parts = listed_parts(config.data, channels=channels, targets=targets, report=progress.note)
    strategy, collectives = _connect(request)
    common = Path(collectives.broadcast(str(request.directory)))
    directory = common if request.generated_name else request.directory
    images = _open_images(request, channels, targets, parts)
    training = images["training"]
    fingerprints = {part: fingerprint(each) for part, each in images.items()}
    if resumed:
        kept = directory / run_directory.IMAGES
        check_unchanged(resumed.settings["fingerprints"], fingerprints, config.data, images, kept, progress.note)
    check_monitors(config.recipe, history_columns(training.targets or targets))
    setup = make_setup(request, strategy, images)
    devices = describe(strategy, request.cluster)
    settings = _settings(request, images, fingerprints, devices)
    metadata = Metadata(
        reference=request.reference,
        spec=request.spec,
        class_names=training.class_names or None,
        preprocess=network.preprocess,
        resize=network.protocol.resize,
        targets=() if training.targets is None else training.targets.each,
        threshold=network.protocol.threshold,
    )
    if request.is_chief:
        check_loadable(setup.model, metadata)
    if request.is_chief and not resumed:
        held.enter_context(run_directory.created(directory, overwrite=request.overwrite))
    logger = _make_logger(request, directory, settings, metadata, setup.targets)
    return PreparedRun(request, directory, collectives, images, fingerprints, setup, devices, interval, logger)


def announce(prepared: PreparedRun) -> None:
    """Print what will be trained, and settings that have no effect or are likely mistakes."""
    request, setup = prepared.request, prepared.setup
    network, recipe, note = request.network, request.config.recipe, request.progress.note
    training, validation = prepared.images["training"], prepared.images["validation"]
    parameters = setup.model.count_params()
    trained = sum(math.prod(weight.shape) for weight in setup.model.trainable_weights)
    fixed = f" ({trained:,} trained)" if trained < parameters else ""
    note(
        f"{network.name}: {counted(parameters, 'parameter')}{fixed}, {counted(len(training), 'training image')} and "
        f"{counted(len(validation), 'validation image')} of {_labels_text(setup.targets)}, on {prepared.devices}"
    )
    warnings = recipe_warnings(
        recipe,
        setup.length,
        len(training),
        on_cpu="GPU" not in prepared.devices,
        weights=[weight.name for weight in setup.model.trainable_variables],
        raw=sees_raw_pixels(network.graph(), network.preprocess),
    )
    for line in (*describe_recipe(recipe, setup.length), *warnings):
        note(line)
    if not request.resumed:
        is_image = len(network.graph().input_shape) == 3
        for warning in network.warnings(typical_side(training) if is_image else None):
            note(render(warning))
    note(f"writing {prepared.directory}" if request.is_chief else "worker 0 writes the files")


def run(prepared: PreparedRun, stop: StopRequest) -> EndedRun:
    """Train until the last epoch, early stopping or a signal. Every error leaves the run ready to be resumed."""
    request, setup, logger, directory = prepared.request, prepared.setup, prepared.logger, prepared.directory
    progress = request.progress
    progress.start(
        setup.length.epochs,
        setup.length.steps_per_epoch,
        top5=setup.targets.is_plain and setup.targets[0].units > 5,
        figures=None if setup.targets.is_plain else partial(figures, setup.targets, running=True),
    )
    try:
        with worker_lost_errors(request.cluster, f" with `--resume {directory}`"):
            prepared.collectives.check_equal("images", prepared.fingerprints)
            checkpoints = Checkpoints(directory, prepared.checkpoint_interval)
            trainer = Trainer(setup, logger, progress, checkpoints, stop, prepared.collectives)
            interrupted = run_epochs(trainer, _begin(prepared, trainer))
        with setup.train_step.averaged():
            seconds = logger.finish(setup.model, interrupted=interrupted)
    except KeyboardInterrupt:  # the second Ctrl-C
        if files(directory):
            progress.note(f"stopped; resume from the last checkpoint with `archspec train --resume {directory}`")
        raise
    except ArchspecError as error:
        logger.failed(error)
        note = f"the last checkpoint is kept; resume from it with `archspec train --resume {directory}`"
        raise (error.noted("cannot-write", note) if files(directory) else error) from error
    return EndedRun(prepared, (stop.signal or signal.SIGTERM) if interrupted else None, seconds)


def finish(ended: EndedRun) -> RunResult:
    """Wait until every worker can exit safely, and describe the run."""
    prepared, logger = ended.prepared, ended.prepared.logger
    prepared.collectives.barrier(need_chief=True)
    best = logger.best or {}
    return RunResult(
        directory=prepared.directory,
        signal=ended.signal,
        epochs=len(logger.rows),
        seconds=ended.seconds,
        best_epoch=best.get("epoch"),
        best_top1=best.get("val_top1"),
        best_metrics={name: best[f"val_{name}"] for name in prepared.setup.targets.main_metrics if best},
        data_arguments=prepared.request.config.data_arguments,
        example=example_file(prepared.directory, prepared.images["validation"]),
    )


# ---- parts of `prepare` and `run` ------------------------------------------------------------------------------------


def _connect(request: RunRequest) -> tuple[tf.distribute.Strategy, Collectives]:
    """The strategy, and the collectives between workers that have the same network, recipe and options."""
    cluster, note, config = request.cluster, request.progress.note, request.config
    strategy = make_strategy(request.devices, cluster, note)
    collectives = Collectives(strategy, cluster)
    collectives.check_equal("network", request.spec)
    collectives.check_equal("recipe", config.recipe)
    # the path of the data may differ between workers
    options = [field.name for field in dataclasses.fields(config) if field.name not in ("data", "recipe")]
    collectives.check_equal("options of `train`", [getattr(config, name) for name in options])
    return strategy, collectives


def _labels_text(targets: OutputTargets) -> str:
    """What the images are labelled with: `10 classes`, `color: 3 classes, shape: 4 classes`."""
    texts = [target.kind.described(target.class_names, target.units) for target in targets]
    if len(targets) == 1:
        return str(texts[0])
    return listed(f"{target.name}: {text}" for target, text in zip(targets, texts, strict=True))


def _open_images(request: RunRequest, channels: int, targets: OutputTargets, parts: Parts | None) -> dict[str, Images]:
    """The training and validation images."""
    config = request.config
    splits: dict[str, Any] = {"training": "train", "validation": "validation"}
    found = {
        part: open_data(
            config.data,
            split,
            validation_split=config.validation_split,
            seed=config.seed,
            skip_bad_images=config.skip_bad_images,
            channels=channels,
            classes=targets[0].units,
            targets=targets,
            parts=parts,
            report=request.progress.note,
        )
        for part, split in splits.items()
    }
    if shared := shared_line(found["training"], found["validation"]):
        request.progress.note(shared)
    return found


def _settings(
    request: RunRequest, images: Mapping[str, Images], fingerprints: Mapping[str, Any], devices: str
) -> dict[str, Any]:
    """The contents of run.json at the start."""
    network, config = request.network, request.config
    found = images["training"].targets
    machine = {"devices": devices, "processor": processor(), "threads": threads(), "versions": versions()}
    if request.resumed:
        return {
            **request.resumed.updated_settings(machine, timestamp(), request.progress.note),
            "fingerprints": fingerprints,
            "data": config.data,
            "checkpoint_every": config.checkpoint_every,
        }
    return {
        "reference": request.reference,
        "name": network.name,
        "protocol": write_section(network.protocol),
        **config.to_json(),
        "images": {part: len(each) for part, each in images.items()},
        "fingerprints": fingerprints,
        "class_names": images["training"].class_names,
        **({} if found is None else {"targets": [each.to_json() for each in found]}),
        **machine,
        "resumed": [],
    }


def _make_logger(
    request: RunRequest, directory: Path, settings: Mapping[str, Any], metadata: Metadata, targets: OutputTargets
) -> RunLogger:
    """The logger of the run's files, and of MLflow if requested."""
    config, log = request.config, None
    if request.mlflow and request.is_chief:
        settings = {"mlflow": None, **settings}
        recipe = write_section(config.recipe)
        params = {"reference": metadata.reference, "data": config.data, "seed": config.seed, "train": recipe}
        log = MlflowLog(directory.name, params, settings["mlflow"], request.progress.note)
    return RunLogger(
        directory,
        request.network.name,
        request.spec,
        settings,
        metadata,
        writes=request.is_chief,
        mlflow=log,
        loss=loss_labels(config.recipe, [output_loss(config.recipe.loss, each).name for each in targets]),
        scores=[f"val_{name}" for name in targets.main_metrics],
    )


def _begin(prepared: PreparedRun, trainer: Trainer) -> ProgressState | None:
    """Load the checkpoint of a resumed run, and write the first files; None for a new run."""
    request, collectives, logger = prepared.request, prepared.collectives, prepared.logger
    checkpoint = request.resumed.checkpoint if request.resumed else None
    start = trainer.load(checkpoint) if checkpoint else None
    if start and checkpoint:
        logger.restore(checkpoint.state["history"])
        steps = prepared.setup.length.steps_per_epoch
        request.progress.note(
            f"resuming at epoch {start.epoch + 1}, after {start.done} of its {counted(steps, 'step')}"
        )
    collectives.check_equal("checkpoint", start)
    if request.cluster:
        collectives.check_close("initial weights", sizes(prepared.setup.train_step.variables()))
    if request.is_chief:
        keep_contents(prepared.directory / run_directory.IMAGES, prepared.images)
        write_example(prepared.directory, prepared.images["validation"])
    logger.begin()
    return start
