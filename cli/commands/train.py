"""`archspec train REF`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archspec import api
from archspec.cli.options import (
    adapt_input,
    cluster,
    complete_reference,
    custom,
    devices,
    load,
    program,
    recipe,
    seed,
    settings,
    skip_bad_images,
)
from archspec.cli.terminal import DataCommand, echo


@click.command("train", cls=DataCommand)
@click.argument("reference", metavar="[REF]", required=False, shell_complete=complete_reference)
@click.option("--data", metavar="DATA", help="Labelled images; see DATA above.")
@settings
@recipe
@click.option("--epochs", type=int, metavar="N", help="The same as --set train.epochs=N.")
@click.option("--batch-size", type=int, metavar="N", help="The same as --set train.batch_size=N.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="The run directory to write.  [default: runs/NAME-DATE]"
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier run in that directory.")
@click.option(
    "--resume-if-exists",
    is_flag=True,
    help="Resume the run in --out if there is one, else start it: the same command can be repeated until it is done.",
)
@click.option(
    "--validation-split",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="SHARE",
    help="For DATA without a split: the share of the images to hold out for validation.",
)
@click.option("--init-from", metavar="FILE", help="Start from the weights of a file; see `archspec build --help`.")
@click.option(
    "--init-map",
    multiple=True,
    metavar="MAP",
    help="Layers that start from --init-from: `vgg-a-to-deeper`, a pattern of paths (`conv*/**`), or TARGET=SOURCE.  "
    "[default: all layers]",
)
@custom
@adapt_input
@click.option(
    "--freeze",
    multiple=True,
    metavar="PATTERN",
    help="Layers whose weights are not trained, as a pattern of paths: `conv1/**`. Sets train.freeze.",
)
@seed("Seed of initial weights, dropout, image order and augmentation")
@devices
@skip_bad_images
@click.option(
    "--checkpoint-every",
    metavar="TIME",
    help="Also write checkpoints within epochs: every `10m` (minutes) or `500steps`.",
)
@click.option("--deterministic", is_flag=True, help="Use only operations with bit-identical results in every run.")
@click.option(
    "--mlflow",
    is_flag=True,
    help="Also log to MLflow, to the server and experiment of MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME.",
)
@click.option(
    "--resume",
    "run",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Resume a killed or interrupted run from its last checkpoint. The result is that of an uninterrupted run.",
)
@cluster
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
    resume_if_exists: bool,
    validation_split: float | None,
    init_from: str | None,
    init_map: tuple[str, ...],
    adapt_input: bool,
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
    """Train a network with its recipe, and write a run directory.

    Ctrl-C ends the run after the current step, saves all files and exits with status 130. `archspec train --resume
    RUN` resumes a run that ended early, even after a crash or a power cut.
    """
    found_cluster = api.find_cluster(worker, workers)
    if run is not None:
        _check_resume_options(ctx)
        result = api.resume(
            run, data=data, devices=devices, checkpoint_every=checkpoint_every, mlflow=mlflow, cluster=found_cluster
        )
    else:
        if reference is None or data is None:
            missing = "argument 'REF'" if reference is None else "option '--data'"
            raise click.UsageError(f"Missing {missing}.", ctx)
        if init_map and init_from is None:
            raise click.UsageError("--init-map selects layers of --init-from, which is missing.", ctx)
        if adapt_input and init_from is None:
            raise click.UsageError("--adapt-input adapts the weights of --init-from, which is missing.", ctx)
        frozen = json.dumps(freeze) if freeze else None
        given = {"train.epochs": epochs, "train.batch_size": batch_size, "train.freeze": frozen}
        texts = (*settings, *(f"{name}={value}" for name, value in given.items() if value is not None))
        network = load(reference, texts, recipe)
        _ = network.graph(), network.recipe  # errors of the spec come before TensorFlow is imported
        result = api.train(
            network,
            data,
            out=out,
            overwrite=overwrite,
            resume_if_exists=resume_if_exists,
            devices=devices,
            seed=seed,
            validation_split=validation_split,
            skip_bad_images=skip_bad_images,
            init_from=init_from,
            init_map=init_map,
            adapt_input=adapt_input,
            checkpoint_every=checkpoint_every,
            deterministic=deterministic,
            mlflow=mlflow,
            cluster=found_cluster,
        )
    if found_cluster is None or found_cluster.is_chief:
        echo(result.summary())
        click.echo("next, try:")
        for line in result.next_commands(program()):
            click.echo(f"  {line}")
    if result.signal is not None:
        ctx.exit(128 + result.signal)


ON_RESUME = {"run", "data", "devices", "checkpoint_every", "mlflow", "worker", "workers"}
"""The options that may be given with --resume."""


def _check_resume_options(ctx: click.Context) -> None:
    """Reject options that would change the result: a resumed run keeps the options it was started with."""
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name not in ON_RESUME and source is click.core.ParameterSource.COMMANDLINE:
            name = parameter.opts[-1] if isinstance(parameter, click.Option) else "REF"
            message = f"--resume uses the network, the recipe and the seed of the run; {name} cannot be changed."
            longer = " To train for longer, start from its weights: `archspec train REF --data DATA --init-from RUN`."
            raise click.UsageError(message + longer * (name == "--epochs"), ctx)
