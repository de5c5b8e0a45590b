"""Train networks, and resume training runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from archspec.api.network import Network, as_network, load
from archspec.lang.recipes.recipe import Recipe

if TYPE_CHECKING:
    from archspec.runtime.distributed.cluster import Cluster
    from archspec.runtime.training.records.progress import TrainingProgress
    from archspec.runtime.training.run_result import RunResult

Devices: TypeAlias = int | str | None
"""None or "all": every visible GPU, or else the CPU. A number: that many. "cpu:2": two logical devices of the CPU."""


def train(
    network: Network | str,
    data: str,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    recipe: Recipe | None = None,
    devices: Devices = None,
    seed: int = 0,
    validation_split: float | None = None,
    skip_bad_images: bool = False,
    init_from: str | Path | None = None,
    init_map: Sequence[str] = (),
    checkpoint_every: str | None = None,
    deterministic: bool = False,
    mlflow: bool = False,
    cluster: Cluster | None = None,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Train a network with its recipe and write a run directory, as `archspec train` does.

    Ctrl-C, SIGTERM and SIGHUP end the run after the current step. All files are then complete, a checkpoint to resume
    from included, and the result names the signal.

    Args:
        network: a network or a reference.
        data: a data source of labelled images, one of `data_sources()` (docs/data.md).
        out: the run directory; by default `runs/NAME-YYYYmmdd-HHMMSS`.
        overwrite: replace an earlier run in `out`.
        recipe: a recipe that replaces the network's own.
        devices: the devices to train on: None, a number, "all" or "cpu:N".
        seed: seed of initial weights, dropout, the order of images and their augmentation.
        validation_split: share of the images that is held out for validation, where the data has no split.
        skip_bad_images: leave out files that cannot be decoded.
        init_from: a weight file or `keras:imagenet` to start from. The classifier is new where the classes differ.
        init_map: which layers start from which layers of `init_from`; by default all do.
        checkpoint_every: `500steps` or `10m`: write checkpoints within epochs too, not only at their ends.
        deterministic: use only operations that give bit-identical results in every run.
        mlflow: log the recipe, the metrics of each epoch and the files of the run to MLflow.
        cluster: the workers that train together, as `find_cluster` returns them.
        progress: what shows the progress; by default a table or lines on standard error.

    Raises:
        ArchspecError: `output-exists`, `run-busy`, `cannot-write`, `devices`, `classes-mismatch`, `no-classifier`,
            `free-input`, `checkpoint-every`, `missing-package`, `diverged`; with several workers `hosts`,
            `hosts-differ`, `worker-lost`; the errors of the network, of its data and of `init_from`.
    """
    from archspec.runtime.training.train import train

    return train(
        as_network(network),
        data,
        out=out,
        overwrite=overwrite,
        recipe=recipe,
        devices=devices,
        seed=seed,
        validation_split=validation_split,
        skip_bad_images=skip_bad_images,
        init_from=None if init_from is None else str(init_from),
        init_map=init_map,
        checkpoint_every=checkpoint_every,
        deterministic=deterministic,
        mlflow=mlflow,
        cluster=cluster,
        progress=progress,
    )


def resume(
    run: str | Path,
    *,
    data: str | None = None,
    devices: Devices = None,
    checkpoint_every: str | None = None,
    mlflow: bool = False,
    cluster: Cluster | None = None,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Resume a run that was killed or interrupted, from its last checkpoint: `archspec train --resume`.

    On the same devices, versions and number of threads, the weights are bit-identical to those of an uninterrupted
    run; elsewhere they agree to rounding. A finished run is left unchanged.

    Args:
        run: the run directory.
        data: where the data is now, if it has moved.
        devices: the devices to train on, as for `train`.
        checkpoint_every: replaces the value that the run was started with.
        mlflow: log to MLflow from now on. A run that was started with it continues its MLflow run.
        cluster: the workers that train together, as `find_cluster` returns them.
        progress: what shows the progress; by default a table or lines on standard error.

    Raises:
        ArchspecError: `not-a-run`, `run-busy`, `no-checkpoint`, `checkpoint-differs`, `data-changed`; the errors of
            `train`.
    """
    from archspec.runtime.training.train import resume

    return resume(
        run,
        load,
        data=data,
        devices=devices,
        checkpoint_every=checkpoint_every,
        mlflow=mlflow,
        cluster=cluster,
        progress=progress,
    )


def find_cluster(worker: int | None = None, workers: str | None = None, *, evaluation: bool = False) -> Cluster | None:
    """Find the workers that train or evaluate together; None for a single worker.

    Without arguments they are read from the environment variable TF_CONFIG, as TensorFlow does.

    Args:
        worker: the number of this worker; worker 0 is the chief, which writes the files.
        workers: the addresses of all workers, `host0:port,host1:port`, the same on each of them.
        evaluation: let an `evaluator` of TF_CONFIG work alone, since TensorFlow does not count it among the workers.

    Raises:
        ArchspecError: `hosts`.
    """
    from archspec.runtime.distributed.cluster import find_cluster as find

    return find(worker, workers, evaluation=evaluation)
