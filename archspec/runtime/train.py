"""Train a network: `train(network, "digits")` from a page and labelled images to a run directory; `resume` one."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from archspec.diagnostics import ArchspecError
from archspec.lang.protocol import EvaluationRecipe, protocol_json
from archspec.lang.recipe import Recipe
from archspec.runtime import run_directory
from archspec.runtime.checkpoint import Checkpoints, parse_every
from archspec.runtime.class_weight import class_weights
from archspec.runtime.classifier import check_classes, classifier_shapes, logits_of
from archspec.runtime.data.entries import Item, items_of
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.plan import plan
from archspec.runtime.data.source import open_data
from archspec.runtime.epoch import Course, Run, run_epochs
from archspec.runtime.fingerprint import check_unchanged, fingerprint
from archspec.runtime.freeze import freeze, rate_factors
from archspec.runtime.hosts import Agreement, Hosts, losses_of_workers, waiting
from archspec.runtime.initialize import initialize
from archspec.runtime.initialize_from import initialize_from
from archspec.runtime.interrupt import Interrupt
from archspec.runtime.job import Job
from archspec.runtime.metadata import Metadata
from archspec.runtime.mlflow_log import MlflowLog, need_mlflow
from archspec.runtime.progress import TrainingProgress
from archspec.runtime.quiet import import_tensorflow
from archspec.runtime.rates import check_monitors
from archspec.runtime.recipe_text import describe_recipe, recipe_json
from archspec.runtime.record import Record, threads, timestamp, versions
from archspec.runtime.resume import Resumed, find, is_finished, read_settings
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
    init_map: Sequence[str] = (),
    checkpoint_every: str | None = None,
    deterministic: bool = False,
    mlflow: bool = False,
    hosts: Hosts | None = None,
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
        init_map: which layers start from which of `init_from`, as `initialize_from` takes it; by default all of them.
        checkpoint_every: `500steps` or `10m`: checkpoints inside epochs, besides those at their ends.
        deterministic: use only operations that give the same bits each time, as on a CPU they all do.
        mlflow: log the recipe, the figures of each epoch and the run's files to MLflow, as `MlflowLog` says.
        hosts: of `find_hosts`: the processes that train together, on one copy of the data each. The first one writes.
        progress: where the user looks on; a TrainingProgress on standard error by default.

    Ctrl-C and SIGTERM end the run after the step under way, with all its files in order, a checkpoint to go on from,
    and the signal in the result.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`, `devices`, `classes-mismatch`, `no-classifier`, `free-input`,
            `checkpoint-every`, `hosts`, `hosts-differ`, `worker-lost`, `missing-package` without mlflow, `diverged`
            when the loss is no longer a number, and what `open_data` raises.
    """
    job = Job(
        data=data,
        recipe=recipe or network.recipe,
        seed=seed,
        validation_split=validation_split,
        skip_bad_images=skip_bad_images,
        init_from=init_from,
        init_map=tuple(init_map),
        checkpoint_every=checkpoint_every,
        deterministic=deterministic,
    )
    directory = run_directory.choose(out, network.name)
    if not hosts or hosts.is_chief:
        run_directory.refuse_existing(directory, overwrite=overwrite)
        if mlflow:
            need_mlflow()
    progress = progress or TrainingProgress()
    with losses_of_workers(hosts, directory):
        return _carry_out(network, job, directory, devices=devices, mlflow=mlflow, hosts=hosts, progress=progress)


def resume(
    run: str | Path,
    load: Callable[[str], Trainable],
    *,
    data: str | None = None,
    devices: Devices = None,
    checkpoint_every: str | None = None,
    mlflow: bool = False,
    hosts: Hosts | None = None,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Go on with a run that was killed or interrupted, from its last checkpoint, to the same bits as without that.

    That holds on the same devices and versions and with as many threads; on others the results agree to rounding. A
    run that is finished is left as it is.

    Args:
        run: the run directory.
        load: `archspec.load`, which reads its page.
        data: where the data is now, if it has moved.
        checkpoint_every: instead of what the run began with.
        mlflow: from now on; a run that began with it goes on in the same MLflow run.

    Raises:
        ArchspecError: `not-a-run`, `no-checkpoint`, `checkpoint-differs`, `data-changed`, and what `train` raises.
    """
    run, progress = Path(run), progress or TrainingProgress()
    settings, job = read_settings(run)
    job = dataclasses.replace(job, data=data or job.data, checkpoint_every=checkpoint_every or job.checkpoint_every)
    if is_finished(settings):
        progress.note(f"`{run}` is finished, and left as it is")
        best = settings["best"] or {}
        return RunResult(
            directory=run,
            signal=None,
            epochs=settings["epochs_finished"],
            seconds=settings["seconds"],
            best_epoch=best.get("epoch"),
            best_top1=best.get("val_top1"),
            data_arguments=job.data_arguments,
            example=None,
        )
    mlflow = mlflow or "mlflow" in settings
    if mlflow and (not hosts or hosts.is_chief):
        need_mlflow()
    found = find(run, settings, progress.note, clean=not hosts or hosts.is_chief)
    network = load(str(run / "page.yaml"))
    with losses_of_workers(hosts, run):
        return _carry_out(
            network, job, run, devices=devices, mlflow=mlflow, hosts=hosts, progress=progress, resumed=found
        )


def _carry_out(
    network: Trainable,
    job: Job,
    directory: Path,
    *,
    devices: Devices,
    mlflow: bool,
    hosts: Hosts | None,
    progress: TrainingProgress,
    resumed: Resumed | None = None,
) -> RunResult:
    """Train from the start, or go on with an earlier run. Raises as `train` and `resume` say."""
    chief = not hosts or hosts.is_chief
    if hosts:
        progress.quiet = progress.quiet or not chief
        progress.note(f"{hosts.named(hosts.worker)}: waiting for all {len(hosts.workers)} workers")
    recipe, every = job.recipe, parse_every(job.checkpoint_every)
    reference = resumed.settings["reference"] if resumed else network.reference
    input_shape, classes = classifier_shapes(network.graph(), reference)
    with waiting(hosts, progress.note) if hosts else contextlib.nullcontext():
        strategy = make_strategy(devices, hosts)
    training, validation = (_open(job, split, input_shape[-1], progress) for split in ("train", "validation"))
    check_classes(classes, len(training.class_names), job.data)
    fingerprints = {"training": fingerprint(training), "validation": fingerprint(validation)}
    if resumed:
        check_unchanged(resumed.settings["fingerprints"], fingerprints, job.data)
    check_monitors(recipe, classes)
    weights = class_weights(recipe.class_weight, training.class_names, training.labels)
    model = _model(network, job, strategy)
    checkpoint = resumed.checkpoint if resumed else None
    if job.init_from is not None and not checkpoint:
        _start_from(model, network, job.init_from, job.init_map, progress)
    freeze(model, network.graph(), recipe.freeze)
    train_step = TrainStep(
        strategy,
        model,
        recipe,
        loss_weights=network.graph().loss_weights,
        class_weight=weights,
        rate_factors=rate_factors(model, network.graph(), recipe.rate_multipliers),
    )
    course = _course(network, job, train_step, training, validation, input_shape)
    metadata = Metadata(
        reference=reference,
        page=resumed.page if resumed else network.resolved_text(),
        class_names=training.class_names,
        preprocess=network.preprocess,
        resize=network.protocol.resize,
    )
    machine = {"devices": describe(strategy, hosts), "threads": threads(), "versions": versions()}
    settings = {
        "reference": reference,
        "name": network.name,
        "protocol": protocol_json(network.protocol),
        **job.to_json(),
        "images": {"training": len(training), "validation": len(validation)},
        "fingerprints": fingerprints,
        "class_names": training.class_names,
        **machine,
        "resumed": [],
    }
    if resumed:
        settings = resumed.go_on(machine, timestamp(), progress.note)
    elif chief:
        run_directory.create(directory)
    log = None
    if mlflow and chief:
        settings = {"mlflow": None, **settings}
        params = {"reference": reference, "data": job.data, "seed": job.seed, "train": recipe_json(recipe)}
        log = MlflowLog(directory.name, params, settings["mlflow"], progress.note)
    record = Record(directory, network.name, metadata.page or "", settings, metadata, writes=chief, mlflow=log)
    progress.note(
        f"{network.name}: {course.model.count_params():,} parameters, {len(training):,} training and "
        f"{len(validation):,} validation images of {len(training.class_names)} classes, on {describe(strategy, hosts)}"
    )
    for line in describe_recipe(recipe, course.length):
        progress.note(line)
    progress.note(f"writing {directory}" if chief else "worker 0 writes the files")
    agreement = Agreement(strategy, hosts)
    with Interrupt(progress.note) as interrupt, progress:
        progress.start(course.length.epochs, course.length.steps_per_epoch)
        try:
            with losses_of_workers(hosts, directory):
                agreement.same("network and recipe", (record.page_digest, job))
                agreement.same("images", fingerprints)
                run = Run(course, record, progress, Checkpoints(directory, every), interrupt, agreement)
                start = run.load(checkpoint) if checkpoint else None
                if start and checkpoint:
                    record.restore(checkpoint.state["record"])
                    steps = course.length.steps_per_epoch
                    progress.note(f"going on from epoch {start.epoch + 1}, after {start.done} of its {steps} steps")
                agreement.same("checkpoint", start)
                record.begin()
                interrupted = run_epochs(run, start)
        except ArchspecError as error:
            record.failed(error)
            raise
        with train_step.averaged():
            seconds = record.finish(interrupted=interrupted, model=course.model if interrupted else None)
        agreement.any(False)  # no process ends before all have done their work
    best = record.best or {}
    return RunResult(
        directory=directory,
        signal=(interrupt.signal or signal.SIGTERM) if interrupted else None,
        epochs=len(record.rows),
        seconds=seconds,
        best_epoch=best.get("epoch"),
        best_top1=best.get("val_top1"),
        data_arguments=job.data_arguments,
        example=_example(directory, validation),
    )


def _open(job: Job, split: Literal["train", "validation"], channels: int | None, progress: TrainingProgress) -> Images:
    return open_data(
        job.data,
        split,
        validation_split=job.validation_split,
        seed=job.seed,
        skip_bad_images=job.skip_bad_images,
        channels=channels or 3,
        report=progress.note,
    )


def _model(network: Trainable, job: Job, strategy: Any) -> Any:
    """The network on its devices, with the initial weights of the seed, in the precision of the recipe."""
    import keras

    keras.utils.set_random_seed(job.seed)
    if job.deterministic:
        import_tensorflow().config.experimental.enable_op_determinism()
    with _precision(job.recipe.dtype_policy), strategy.scope():
        model = network.build()
        initialize(model, network.graph(), job.recipe.init)
    return model


def _start_from(model: Any, network: Trainable, source: str, maps: Sequence[str], progress: TrainingProgress) -> None:
    """Set the weights that training starts from, and say which."""
    if not maps:
        progress.note(described(load_weights(model, source, graph=network.graph(), new_head=True), source))
        return
    for line in initialize_from(model, network.graph(), source, maps).table():
        progress.note(line)


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
    job: Job,
    train_step: TrainStep,
    training: Images,
    validation: Images,
    input_shape: tuple[int, ...],
) -> Course:
    """The step and the batches that it takes."""
    recipe = job.recipe
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


def _example(directory: Path, images: Images) -> Path | None:
    """A file with one of the images, written into the run when they come from memory; None for what is no image."""
    if images.files is not None:
        return Path(images.files[0]) if images.spans is None else None
    pixels = images.pixels
    if pixels is None or pixels.ndim != 4 or pixels.shape[-1] not in (1, 3):
        return None
    from PIL import Image

    with atomic(directory / "example.png") as temporary:
        Image.fromarray(pixels[0].squeeze(-1) if pixels.shape[-1] == 1 else pixels[0]).save(temporary)
    return directory / "example.png"
