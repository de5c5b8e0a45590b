"""`archspec predict MODEL IMAGE...`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from archspec import api
from archspec.cli.options import count_option, custom, format_option, overwrite
from archspec.cli.terminal import DataCommand, echo, progress_line
from archspec.diagnostics import counted, printable


@click.command("predict", cls=DataCommand)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, metavar="[IMAGE]...", type=click.Path())
@click.option("--data", metavar="DATA", help="Predict the images of a data source.")
@click.option("--split", metavar="PART", help="The part of --data: validation, train, test, ...  [default: all parts]")
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of the classes: one per line, ImageNet's synset list, or JSON.  [default: those of the model]",
)
@count_option("--top", 5, "Number of classes to show")
@click.option(
    "--threshold",
    type=float,
    metavar="SHARE",
    help="The least probability that a sigmoid output decides for.  [default: that of the model, 0.5]",
)
@format_option(*get_args(api.PredictionFormat))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="A file to write, `.csv`, `.json` or `.txt`.")
@custom
@overwrite
@click.pass_context
def command(
    ctx: click.Context,
    model: Path,
    images: tuple[str, ...],
    data: str | None,
    split: str | None,
    classes: Path | None,
    top: int,
    threshold: float | None,
    format_: api.PredictionFormat,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Predict the classes of image files, or of all images in a folder.

    An IMAGE is a file, a folder (all images in it, at any depth) or a quoted pattern such as 'photos/*.png'. Exit with
    status 1 if a file cannot be read; the other files are still predicted.
    """
    if not images and data is None:
        raise click.UsageError("Missing argument 'IMAGE...' or option '--data'.", ctx)
    if split is not None and data is None:
        raise click.UsageError("'--split' names a part of '--data', which is missing.", ctx)
    if out is not None:
        suffixes: dict[str, api.PredictionFormat] = {".csv": "csv", ".json": "json", ".txt": "text"}
        if ctx.get_parameter_source("format_") is click.core.ParameterSource.DEFAULT:
            api.check_output(out, *suffixes, overwrite=overwrite)
            format_ = suffixes[out.suffix]
        api.check_output(out, overwrite=overwrite)
    predictions = api.predict(
        model, images, data=data, split=split, classes=classes, top=top, threshold=threshold, report=progress_line
    )
    text = api.predictions_text(predictions, format_)
    bad = [prediction for prediction in predictions if prediction.error is not None]
    if out is not None:
        api.write_text(out, f"{text}\n", overwrite=overwrite)
        echo(f"wrote {out}: {counted(len(predictions), 'image')}{f', {len(bad):,} of them unreadable' if bad else ''}")
    elif text:
        echo(text, format_)
    if format_ == "text":
        for prediction in bad:
            click.echo(f"error[bad-images]: `{printable(prediction.file)}`: {prediction.error}", err=True)
    if bad:
        ctx.exit(1)
