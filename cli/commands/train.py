"""`archspec train REF`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from archspec.cli.options import (
    complete_reference,
    devices,
    load,
    program,
    recipe,
    seed,
    settings,
    several_hosts,
    skip_bad_images,
)


@click.command("train")
@click.argument("reference", metavar="[REF]", required=False, shell_complete=complete_reference)
@click.option("--data", metavar="DATA", help="The images: DATA above.")
@settings
@recipe
@click.option("--epochs", type=int, metavar="N", help="The same as --set train.epochs=N.")
@click.option("--batch-size", type=int, metavar="N", help="The same as --set train.batch_size=N.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The run directory.  [default: runs/NAME-DATE]")
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in that directory.")
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="Keep this share of the images for validation, where the data has no split of its own.",
)
@click.option("--init-from", metavar="FILE", help="Start from these weights; see `archspec build --help`.")
@click.option(
    "--init-map",
    multiple=True,
    metavar="MAP",
    help="Which layers do: `vgg-a-to-deeper`, a pattern of paths (`conv*/**`), or TARGET=SOURCE.  [default: all]",
)
@click.option(
    "--freeze", multiple=True, metavar="PATTERN", help="Layers that keep their weights: `conv1/**`; train.freeze."
)
@seed("Of weights, dropout, order and augmentation.")
@devices
@skip_bad_images
@click.option(
    "--checkpoint-every",
    metavar="TIME",
    help="`10m` or `500steps`: checkpoints besides those at the end of each epoch.",
)
@click.option("--deterministic", is_flag=True, help="Only operations that give the same bits each time.")
@click.option(
    "--mlflow", is_flag=True, help="Log to MLflow too, where MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say."
)
@click.option(
    "--resume",
    "run",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a run that was killed or interrupted, to the same result as without that.",
)
@several_hosts
@click.pass_context
def command(
    ctx: click.Context,
    reference: str | None,
    data: str | None,
    settings: tuple[str, ...],
    recipe: str | None,
    epochs: int | None,
    batch_size: int | None,
    out: Path | None,
    overwrite: bool,
    validation_split: float | None,
    init_from: str | None,
    init_map: tuple[str, ...],
    freeze: tuple[str, ...],
    seed: int,
    devices: str | None,
    skip_bad_images: bool,
    checkpoint_every: str | None,
    deterministic: bool,
    mlflow: bool,
    run: Path | None,
    worker: int | None,
    workers: str | None,
) -> None:
    """Train a network by its recipe; leaves a run directory. Ctrl-C saves what there is and exits 130.

    A run that ended early, even by a power cut, goes on with `archspec train --resume RUN`.

    \b
    DATA is one of
      digits          the embedded data set: 1,797 handwritten digits, 8x8
      FOLDER          train/ and val/ with one folder a class, or class folders and --validation-split
      FILE.npz        x_train, y_train, x_test, y_test, as keras.datasets has them
      FILE.csv        columns path, label and perhaps split; .parquet too
      FILE.tfrecord   records as ImageNet's; or a folder of them
      keras:cifar10   what keras.datasets downloads
      tfds:NAME       what TensorFlow Datasets has prepared, or prepares
    """
    from archspec.runtime.distributed.cluster import find_hosts

    hosts = find_hosts(worker, workers)
    if run is not None:
        _refuse_with_resume(ctx)
        from archspec.runtime.training.train import resume

        result = resume(
            run,
            lambda page: load(page, ()),
            data=data,
            devices=devices,
            checkpoint_every=checkpoint_every,
            mlflow=mlflow,
            hosts=hosts,
        )
    else:
        if reference is None or data is None:
            missing = "argument 'REF'" if reference is None else "option '--data'"
            raise click.UsageError(f"Missing {missing}.", ctx)
        if init_map and init_from is None:
            raise click.UsageError("--init-map says which layers start from the weights of --init-from.", ctx)
        frozen = json.dumps(freeze) if freeze else None
        given = {"train.epochs": epochs, "train.batch_size": batch_size, "train.freeze": frozen}
        texts = (*settings, *(f"{name}={value}" for name, value in given.items() if value is not None))
        network = load(reference, texts, recipe)
        _ = network.graph(), network.recipe
        from archspec.runtime.training.train import train

        result = train(
            network,
            data,
            out=out,
            overwrite=overwrite,
            devices=devices,
            seed=seed,
            validation_split=validation_split,
            skip_bad_images=skip_bad_images,
            init_from=init_from,
            init_map=init_map,
            checkpoint_every=checkpoint_every,
            deterministic=deterministic,
            mlflow=mlflow,
            hosts=hosts,
        )
    if hosts is None or hosts.is_chief:
        _tell(result)
    if result.signal is not None:
        ctx.exit(128 + result.signal)


def _tell(result: Any) -> None:
    click.echo(result.summary())
    click.echo("next, try:")
    for line in result.next_commands(program()):
        click.echo(f"  {line}")


ON_RESUME = {"run", "data", "devices", "checkpoint_every", "mlflow", "worker", "workers"}


def _refuse_with_resume(ctx: click.Context) -> None:
    """What decides the result is that of the run, and cannot be given again."""
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name not in ON_RESUME and source is click.core.ParameterSource.COMMANDLINE:
            name = parameter.opts[-1] if isinstance(parameter, click.Option) else "REF"
            fact = f"--resume takes the network, the recipe and the seed of its run, and no {name}."
            longer = " A longer run starts from its weights: `archspec train REF --data DATA --init-from RUN`."
            raise click.UsageError(fact + longer * (name == "--epochs"), ctx)
