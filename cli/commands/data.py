"""`archspec data check DATA`, `archspec data preview REF`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from archspec import api
from archspec.cli.options import (
    data,
    format_option,
    load,
    overwrite,
    recipe,
    reference,
    seed,
    settings,
    skip_bad_images,
)
from archspec.cli.terminal import DataCommand, SentenceGroup, echo, print_diagnostics, progress_line
from archspec.diagnostics import counted


@click.group("data", cls=SentenceGroup)
def command() -> None:
    """Check all images of a data source, or preview what a network will see."""


@command.command("check", cls=DataCommand)
@click.argument("data", metavar="DATA")
@click.option("--split", metavar="PART", help="Check only this part of DATA, such as test.")
@click.option(
    "--validation-split", type=float, metavar="SHARE", help="Show how training would split the images with this share."
)
@click.option("--classes", metavar="FILE", help="Compare the classes with those of a network: a list, or JSON.")
@click.option("--no-cache", is_flag=True, help="Also decode images that have not changed since the last check.")
@format_option("text", "json")
@click.pass_context
def check(
    ctx: click.Context,
    data: str,
    split: str | None,
    validation_split: float | None,
    classes: str | None,
    no_cache: bool,
    format_: Literal["text", "json"],
) -> None:
    """Decode every image of DATA: report bad files, class counts, sizes, color statistics and duplicates.

    Exit with status 1 if a file cannot be decoded, if the
    classes of the training and validation images differ, or if a class has no training image.
    """
    manifest = api.check_data(
        data,
        split=split,
        validation_split=validation_split,
        classes=classes,
        use_cache=not no_cache,
        report=progress_line,
    )
    echo(manifest.render(format_), format_)
    if manifest.bad or manifest.problems:
        ctx.exit(1)


@command.command("preview")
@reference
@data
@settings
@recipe
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The PNG file to write.")
@click.option("--rows", type=click.IntRange(1, 100), default=6, show_default=True, help="Number of images.")
@click.option(
    "--columns", type=click.IntRange(2, 50), default=7, show_default=True, help="Number of views of each image."
)
@seed("Seed of the augmentation")
@overwrite
@skip_bad_images
def preview(
    reference: str,
    data: str,
    settings: tuple[str, ...],
    recipe: str | None,
    out: Path,
    rows: int,
    columns: int,
    seed: int,
    overwrite: bool,
    skip_bad_images: bool,
) -> None:
    """Draw what a network will see: each image as in evaluation, then augmented as in the first epochs."""
    network = load(reference, settings, recipe)
    print_diagnostics(network.warnings())
    preview = api.preview_data(
        network,
        data,
        out,
        rows=rows,
        columns=columns,
        seed=seed,
        skip_bad_images=skip_bad_images,
        overwrite=overwrite,
        report=progress_line,
    )
    echo(
        f"wrote {out}: {counted(preview.images, 'image')}, {counted(preview.views, 'view')} of each, "
        "before `preprocess`"
    )
