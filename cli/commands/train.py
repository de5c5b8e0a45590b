"""`archspec train REF`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import data, devices, load, program, reference, settings, skip_bad_images


@click.command("train")
@reference
@data
@settings
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
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of weights, dropout, order and augmentation.",
)
@devices
@skip_bad_images
@click.pass_context
def command(
    ctx: click.Context,
    reference: str,
    data: str,
    settings: tuple[str, ...],
    epochs: int | None,
    batch_size: int | None,
    out: Path | None,
    overwrite: bool,
    validation_split: float | None,
    init_from: str | None,
    seed: int,
    devices: str | None,
    skip_bad_images: bool,
) -> None:
    """Train a network by its page's recipe; leaves a run directory. Ctrl-C saves what there is and exits 130.

    \b
    DATA is one of
      digits       the embedded data set: 1,797 handwritten digits, 8x8
      FOLDER       train/ and val/ with one folder a class, or class folders and --validation-split
      FILE.npz     x_train, y_train, x_test, y_test, as keras.datasets has them
    """
    given = {"train.epochs": epochs, "train.batch_size": batch_size}
    network = load(reference, (*settings, *(f"{name}={value}" for name, value in given.items() if value is not None)))
    network.graph()
    from archspec.runtime.train import train

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
    )
    click.echo(result.summary())
    click.echo("next, try:")
    for line in result.next_commands(program()):
        click.echo(f"  {line}")
    if result.interrupted:
        ctx.exit(130)
