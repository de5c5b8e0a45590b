"""Train networks, and resume training runs."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, TypeAlias

from archspec.api.network import Network, Setting
from archspec.api.references import as_network, load
from archspec.arguments import NonNegativeInt, Seed, StrPath, as_path, public
from archspec.diagnostics import fail
from archspec.lang.recipes.recipe import Recipe
from archspec.lang.spec.overrides import recipe_setting

if TYPE_CHECKING:
    from archspec.runtime.distributed.cluster import Cluster
    from archspec.runtime.training.records.progress import TrainingProgress
    from archspec.runtime.training.run_result import RunResult

Devices: TypeAlias = int | str | None
"""None or "all": every visible GPU, or else the CPU. A number: that many. "cpu:2": two logical devices of the CPU."""


@public(checkpoint_every="for example, `500steps`, `90s`, `10m` or `2h`")
def train(
    network: Network | StrPath,
    data: StrPath,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    freeze: Sequence[str] = (),
    out: StrPath | None = None,
    overwrite: bool = False,
    resume_if_exists: bool = False,
    recipe: Recipe | StrPath | None = None,
    devices: Devices = None,
    seed: Seed = 0,
    validation_split: float | None = None,
    skip_bad_images: bool = False,
    init_from: StrPath | None = None,
    init_map: Sequence[str] = (),
    adapt_input: bool = False,
    checkpoint_every: str | None = None,
    deterministic: bool = False,
    mlflow: bool = False,
    cluster: Cluster | None = None,
    progress: TrainingProgress | None = None,
    **settings: Setting,
) -> RunResult:
    """Train a network with its recipe and write a run directory, as `archspec train` does.

    Ctrl-C, SIGTERM and SIGHUP end the run after the current step. All files are then complete, a checkpoint to resume
    from included, and the result names the signal.

    Args:
        network: a network or a reference.
        data: a data source of labelled images, one of `data_sources()` (docs/data.md).
        epochs: the same as the setting `train.epochs`.
        batch_size: images in a step; the same as the setting `train.batch_size`.
        freeze: patterns of layers whose weights are not trained; the same as the setting `train.freeze`.
        out: the run directory; by default `runs/NAME-YYYYmmdd-HHMMSS`.
        overwrite: replace an earlier run in `out`.
        resume_if_exists: resume the run in `out` if there is one; it must have the same spec, recipe and options.
        recipe: a recipe that replaces the network's own: the path of a file, one of `recipes()`, or a `Recipe`.
        devices: the devices to train on: None, a number, "all" or "cpu:N".
        seed: seed of initial weights, dropout, the order of images and their augmentation.
        validation_split: share of the images that is held out for validation, where the data has no split.
        skip_bad_images: leave out files that cannot be decoded.
        init_from: a weight file, a run directory or `keras:imagenet` to start from. The classifier is new where the
            classes differ.
        init_map: which layers start from which layers of `init_from`; by default all do.
        adapt_input: adapt the first kernel of `init_from` to another number of input channels, as in `load_weights`.
        checkpoint_every: `500steps` or `10m`: write checkpoints within epochs too, not only at their ends.
        deterministic: use only operations that give bit-identical results in every run.
        mlflow: log the recipe, the metrics of each epoch and the files of the run to MLflow.
        cluster: the workers that train together, as `find_cluster` returns them.
        progress: the progress display; by default a table or lines on standard error.
        settings: as for `load`; keys of the recipe need no prefix: `classes=10`, `weight_decay=1e-4`.

    Raises:
        ArchspecError: `unknown-parameter`, `output-exists`, `run-busy`, `cannot-write`, `devices`, `free-input`,
            `classes-mismatch`, `no-classifier`, `checkpoint-every`, `missing-package`, `diverged`; with several workers
            `hosts`, `hosts-differ`, `worker-lost`; the errors of the network, of its data and of `init_from`.
    """
    from archspec.runtime.training.train import train

    if init_from is None and (init_map or adapt_input):
        fact = "`--init-map` selects layers" if init_map else "`--adapt-input` adapts the weights"
        raise fail("setting", f"{fact} of `--init-from`, which is missing", help="give `--init-from`")
    given = {"train.epochs": epochs, "train.batch_size": batch_size, "train.freeze": list(freeze) or None}
    settings |= {name: value for name, value in given.items() if value is not None}
    of_file = None if isinstance(recipe, Recipe) else recipe
    if isinstance(recipe, Recipe) and any(recipe_setting(name.removeprefix("train.")) for name in settings):
        raise fail(
            "setting",
            "settings cannot change a `Recipe` object",
            help="change the recipe itself: `dataclasses.replace(recipe, epochs=3)`",
        )
    if resume_if_exists and overwrite:
        raise fail("setting", "`overwrite` and `resume_if_exists` are mutually exclusive", help="remove one of them")
    if resume_if_exists and out is None:
        raise fail("setting", "`resume_if_exists` needs the run directory", help="give `out`")
    return train(
        as_network(network, settings, recipe=of_file, options=OPTIONS),
        as_path(data),
        out=as_path(out),
        overwrite=overwrite,
        recipe=recipe if isinstance(recipe, Recipe) else None,
        devices=devices,
        seed=seed,
        validation_split=validation_split,
        skip_bad_images=skip_bad_images,
        init_from=as_path(init_from),
        init_map=init_map,
        adapt_input=adapt_input,
        checkpoint_every=checkpoint_every,
        deterministic=deterministic,
        mlflow=mlflow,
        cluster=cluster,
        progress=progress,
        load=load if resume_if_exists else None,
    )


OPTIONS = [name for name, parameter in signature(train).parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
"""Of `train`, by their names."""


@public()
def resume(
    run: StrPath,
    *,
    data: StrPath | None = None,
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
        progress: the progress display; by default a table or lines on standard error.

    Raises:
        ArchspecError: `not-a-run`, `run-busy`, `no-checkpoint`, `checkpoint-differs`, `data-changed`; the errors of
            `train`.
    """
    from archspec.runtime.training.train import resume

    return resume(
        as_path(run),
        load,
        data=as_path(data),
        devices=devices,
        checkpoint_every=checkpoint_every,
        mlflow=mlflow,
        cluster=cluster,
        progress=progress,
    )


@public()
def find_cluster(
    worker: NonNegativeInt | None = None,
    workers: str | None = None,
    *,
    evaluation: bool = False,
) -> Cluster | None:
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
