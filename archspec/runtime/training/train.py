"""Train a network on labelled images: `train` starts a run, `resume` continues one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.diagnostics import ArchspecError
from archspec.graph.select import frozen
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices
from archspec.runtime.distributed.worker_errors import worker_lost_errors
from archspec.runtime.runs import run_directory
from archspec.runtime.runs.run_directory import locked
from archspec.runtime.runs.train_config import TrainConfig, is_finished, read_settings, refuse_other_options
from archspec.runtime.training.records.mlflow_log import MlflowLog, need_mlflow
from archspec.runtime.training.run_request import RunRequest, Trainable, read_run
from archspec.runtime.training.run_result import RunResult, finished_result

if TYPE_CHECKING:
    from archspec.runtime.training.records.progress import TrainingProgress


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
    adapt_input: bool = False,
    checkpoint_every: str | None = None,
    deterministic: bool = False,
    mlflow: bool = False,
    cluster: Cluster | None = None,
    progress: TrainingProgress | None = None,
    load: Callable[[str], Trainable] | None = None,
) -> RunResult:
    """Train a network on a data source, and write a run directory.

    Ctrl-C, SIGTERM and SIGHUP end the run after the current step: all files are complete, a checkpoint is written, and
    the result names the signal.

    Args:
        network: of `archspec.load`.
        data: a source of labelled images, as `open_data` reads it.
        out: the run directory; `runs/NAME-YYYYmmdd-HHMMSS` by default.
        overwrite: replace an earlier run in `out`.
        recipe: replaces the recipe of the spec.
        devices: see `make_strategy`.
        seed: seed of the initial weights, dropout, the order of the images and their augmentation.
        validation_split: share of the images to validate on, if the source has no split.
        skip_bad_images: leave out files that cannot be decoded as images.
        init_from: a file of weights to start from, or `keras:imagenet`; where the classes differ the classifier keeps
            its initial weights.
        init_map: which layers to take from `init_from`, as in `initialize_from`; all by default.
        adapt_input: adapt the first kernel of `init_from` to the input channels of the network, as in `load_weights`.
        checkpoint_every: `500steps` or `10m`: how often to write a checkpoint inside an epoch. One is always written at
            the end of an epoch.
        deterministic: use deterministic operations only; on a CPU all of them are.
        mlflow: log to MLflow, see `MlflowLog`.
        cluster: of `find_cluster`: the workers that train together. The chief writes the files.
        progress: displays the progress; by default on standard error.
        load: `archspec.load`, to resume the run in `out` if there is one; None to start a new run.

    Raises:
        ArchspecError: `output-exists`, `run-busy`, `cannot-write`, `devices`, `classes-mismatch`, `no-classifier`,
            `free-input`, `checkpoint-every`, `hosts`, `hosts-differ`, `worker-lost`, `missing-package` without mlflow,
            `diverged` for a NaN or infinite loss, and those of `open_data`.
    """
    config = TrainConfig(
        data=data,
        recipe=recipe or network.recipe,
        seed=seed,
        validation_split=validation_split,
        skip_bad_images=skip_bad_images,
        init_from=init_from,
        init_map=tuple(init_map),
        adapt_input=adapt_input,
        checkpoint_every=checkpoint_every,
        deterministic=deterministic,
    )
    # mistakes are reported before the modules of a run and TensorFlow are imported
    find_source(data)
    if init_from is not None:
        from archspec.runtime.weights.weight_file import check_source

        check_source(init_from)
    frozen(network.graph(), config.recipe.freeze)
    directory = run_directory.choose(out, network.name)
    if load and (directory / "run.json").exists():
        refuse_other_options(directory, network.resolved_text(), config)
        return resume(
            directory,
            load,
            data=data,
            devices=devices,
            checkpoint_every=checkpoint_every,
            mlflow=mlflow,
            cluster=cluster,
            progress=progress,
        )
    if not cluster or cluster.is_chief:
        run_directory.refuse_existing(directory, overwrite=overwrite)
        if mlflow:
            need_mlflow()
    from archspec.runtime.training.records.progress import TrainingProgress
    from archspec.runtime.training.run import train_and_record

    request = RunRequest(
        network,
        config,
        directory,
        progress or TrainingProgress(),
        devices,
        cluster,
        mlflow,
        overwrite=overwrite,
        generated_name=out is None,
    )
    with contextlib.ExitStack() as held, worker_lost_errors(cluster, ""):
        return train_and_record(request, held)


def resume(
    run: str | Path,
    load: Callable[[str], Trainable],
    *,
    data: str | None = None,
    devices: Devices = None,
    checkpoint_every: str | None = None,
    mlflow: bool = False,
    cluster: Cluster | None = None,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Resume a run that was killed or interrupted, from its last checkpoint.

    The weights are bit-identical to those of an uninterrupted run on the same devices, versions and number of threads;
    otherwise they are equal up to rounding. A finished run is left unchanged.

    Args:
        run: the run directory.
        load: `archspec.load`, which reads its spec.
        data: where the data is now, if it has moved.
        devices: see `make_strategy`.
        checkpoint_every: replaces that of the run.
        mlflow: log to MLflow from now on; a run that has logged to MLflow continues to.
        cluster, progress: as in `train`.

    Raises:
        ArchspecError: `not-a-run`, `run-busy`, `no-checkpoint`, `checkpoint-differs`, `data-changed`, and those of
            `train`.
    """
    run = Path(run)
    settings, config = read_settings(run)
    from archspec.runtime.training.records.progress import TrainingProgress
    from archspec.runtime.training.run import train_and_record

    progress = progress or TrainingProgress()
    config = dataclasses.replace(
        config, data=data or config.data, checkpoint_every=checkpoint_every or config.checkpoint_every
    )
    if is_finished(settings):
        with contextlib.suppress(ArchspecError), locked(run):  # not if the run is read-only, or its process still ends
            run_directory.remove_leftovers(run)
        if settings.get("mlflow") and (not cluster or cluster.is_chief):
            MlflowLog(run.name, {}, settings["mlflow"], progress.note).end_if_running(run)
        progress.note(f"`{run}` is already finished; nothing to do")
        return finished_result(run, settings, config)
    chief = not cluster or cluster.is_chief
    mlflow = mlflow or "mlflow" in settings
    if mlflow and chief:
        need_mlflow()
    with contextlib.ExitStack() as held:
        if chief:
            held.enter_context(locked(run))
            settings, _ = read_settings(run)  # another process may have trained in it until now
        resumed = read_run(run, settings, progress.note, clean=chief)
        network = load(str(run / "spec.yaml"))
        request = RunRequest(network, config, run, progress, devices, cluster, mlflow, resumed=resumed)
        with worker_lost_errors(cluster, f" with `--resume {run}`"), _moved_data_note(config.data):
            return train_and_record(request, held)


@contextlib.contextmanager
def _moved_data_note(data: str) -> Iterator[None]:
    """Add a note on `--data` to errors about missing images."""
    try:
        yield
    except ArchspecError as error:
        raise error.noted(
            "data-not-found",
            f"the run was started with `--data {data}`; if the images have moved, name their folder with `--data`",
        ) from error
