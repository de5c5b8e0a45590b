"""`archspec predict MODEL IMAGE...`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archspec import api
from archspec.cli.options import format_option
from archspec.diagnostics import printable


@click.command("predict")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=click.Path())
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Number of classes to show.")
@format_option("text", "json")
@click.pass_context
def command(ctx: click.Context, model: Path, images: tuple[str, ...], top: int, format_: str) -> None:
    """Predict the classes of image files.

    Exit with status 1 if a file cannot be read; the other files are still predicted.
    """
    predictions = api.predict(model, images, top=top)
    bad = [prediction for prediction in predictions if prediction.error is not None]
    if format_ == "json":
        click.echo(json.dumps([prediction.to_json() for prediction in predictions]))
    else:
        for prediction in predictions:
            if prediction.error is None:
                shown = ", ".join(f"{name} {100 * probability:.1f} %" for name, probability in prediction.classes)
                click.echo(f"{printable(prediction.file)}: {shown}")
        for prediction in bad:
            click.echo(f"error[bad-images]: `{printable(prediction.file)}`: {prediction.error}", err=True)
    if bad:
        ctx.exit(1)
