"""`archspec evaluate MODEL`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archspec.cli.options import data, devices, format_option, skip_bad_images


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@data
@click.option("--validation-split", type=float, metavar="SHARE", help="As in training, to get the same images again.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="As in training, with --validation-split."
)
@click.option("--split", type=click.Choice(["validation", "train"]), default="validation", show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="A folder for confusion.png, .csv and the JSON.")
@devices
@skip_bad_images
@format_option("text", "json")
def command(
    model: Path,
    data: str,
    validation_split: float | None,
    seed: int,
    split: str,
    batch_size: int,
    out: Path | None,
    devices: str | None,
    skip_bad_images: bool,
    format_: str,
) -> None:
    """Evaluate a model file or a run directory: top-1, top-5, the confusion matrix.

    Each image is resized to its shortest side and cropped at the centre, as the page says.
    """
    from archspec.runtime.evaluate import evaluate
    from archspec.runtime.evaluate_files import evaluation_text, write_evaluation
    from archspec.runtime.run_directory import refuse_existing

    if out is not None:
        refuse_existing(out, overwrite=False)
    result = evaluate(
        model,
        data,
        split=split,  # type: ignore[arg-type]
        validation_split=validation_split,
        seed=seed,
        batch_size=batch_size,
        devices=devices,
        skip_bad_images=skip_bad_images,
        report=lambda line: click.echo(line, err=True),
    )
    click.echo(json.dumps(result.to_json()) if format_ == "json" else evaluation_text(result))
    if out is not None:
        write_evaluation(result, out)
        click.echo(f"wrote {out}: confusion.png, confusion.csv, evaluation.json", err=True)
