"""Train a network: `train(network, "digits")` from a page and labelled images to a run directory; `resume` one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from archspec.diagnostics import ArchspecError
from archspec.lang.recipes.recipe import Recipe
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices
from archspec.runtime.distributed.worker_errors import worker_lost_errors
from archspec.runtime.runs import run_directory
from archspec.runtime.runs.settings import is_finished, read_settings
from archspec.runtime.runs.train_config import TrainConfig
from archspec.runtime.system.file_lock import locked
from archspec.runtime.training.records.mlflow_log import need_mlflow
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.resume import find
from archspec.runtime.training.run import carry_out
from archspec.runtime.training.run_result import RunResult
from archspec.runtime.training.trainable import Trainable


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
    cluster: Cluster | None = None,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Train a network on a data source and leave a run directory (`run_directory` says what is in it).

    Args:
        network: of `archspec.load`.
        data: a source of images, as `open_data` reads them.
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
        cluster: of `find_cluster`: the workers that train together, each with all the data. The chief writes the files.
        progress: where the user looks on; a TrainingProgress on standard error by default.

    Ctrl-C, SIGTERM and SIGHUP end the run after the step under way, with all its files in order, a checkpoint to go on
    from, and the signal in the result.

    Raises:
        ArchspecError: `output-exists`, `run-busy`, `cannot-write`, `devices`, `classes-mismatch`, `no-classifier`,
            `free-input`, `checkpoint-every`, `hosts`, `hosts-differ`, `worker-lost`, `missing-package` without mlflow,
            `diverged` when the loss is no longer a number, and what `open_data` raises.
    """
    job = TrainConfig(
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
    if not cluster or cluster.is_chief:
        run_directory.refuse_existing(directory, overwrite=overwrite)
        if mlflow:
            need_mlflow()
    progress = progress or TrainingProgress()
    with contextlib.ExitStack() as held, worker_lost_errors(cluster, ""):
        return carry_out(
            network,
            job,
            directory,
            held,
            devices=devices,
            mlflow=mlflow,
            cluster=cluster,
            progress=progress,
            overwrite=overwrite,
            named=out is not None,
        )


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
        ArchspecError: `not-a-run`, `run-busy`, `no-checkpoint`, `checkpoint-differs`, `data-changed`, and what `train`
            raises.
    """
    run, progress = Path(run), progress or TrainingProgress()
    settings, job = read_settings(run)
    job = dataclasses.replace(job, data=data or job.data, checkpoint_every=checkpoint_every or job.checkpoint_every)
    if is_finished(settings):
        progress.note(f"`{run}` is finished, and left as it is")
        best, example = settings["best"] or {}, run / "example.png"
        return RunResult(
            directory=run,
            signal=None,
            epochs=settings["epochs_finished"],
            seconds=settings["seconds"],
            best_epoch=best.get("epoch"),
            best_top1=best.get("val_top1"),
            data_arguments=job.data_arguments,
            example=example if example.is_file() else None,
        )
    mlflow = mlflow or "mlflow" in settings
    if mlflow and (not cluster or cluster.is_chief):
        need_mlflow()
    chief = not cluster or cluster.is_chief
    with contextlib.ExitStack() as held:
        if chief:
            held.enter_context(locked(run))
            settings, _ = read_settings(run)  # as another process may just have left it
        found = find(run, settings, progress.note, clean=chief)
        network = load(str(run / "page.yaml"))
        with worker_lost_errors(cluster, f" with `--resume {run}`"), _moved_data(job.data):
            return carry_out(
                network,
                job,
                run,
                held,
                devices=devices,
                mlflow=mlflow,
                cluster=cluster,
                progress=progress,
                resumed=found,
            )


@contextlib.contextmanager
def _moved_data(data: str) -> Iterator[None]:
    """Add to the error of images that are not there how to say where they are now."""
    try:
        yield
    except ArchspecError as error:
        note = f"the run began with `--data {data}`; where they have moved, or from another folder, `--data` says where"
        found = [each.with_notes(note) if each.code == "data-not-found" else each for each in error.diagnostics]
        raise ArchspecError(*found) from error
