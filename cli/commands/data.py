"""`archspec data check DATA`, `archspec data preview REF`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archspec.cli.main import coloured
from archspec.cli.options import data, format_option, load, recipe, reference, seed, settings, skip_bad_images
from archspec.diagnostics import fail, render


@click.group("data")
def command() -> None:
    """Look at images before training: check them all, preview what a network will see."""


@command.command("check")
@click.argument("data", metavar="DATA")
@click.option("--no-cache", is_flag=True, help="Decode every image, also those that have not changed since last time.")
@format_option("text", "json")
@click.pass_context
def check(ctx: click.Context, data: str, no_cache: bool, format_: str) -> None:
    """Decode every image of DATA once: bad files, counts, sizes, the mean and components of the colours.

    DATA is what `train --data` takes. Exit status 1 when a file cannot be read as an image, when the
    classes of its parts differ, or a class has no training image.
    """
    from archspec.runtime.data.report.manifest import make_manifest
    from archspec.runtime.data.report.manifest_text import manifest_text

    manifest = make_manifest(data, keep=not no_cache, report=lambda line: click.echo(line, err=True))
    click.echo(json.dumps(manifest.to_json()) if format_ == "json" else manifest_text(manifest))
    if manifest.bad or manifest.problems:
        ctx.exit(1)


@command.command("preview")
@reference
@data
@settings
@recipe
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The PNG to write.")
@click.option("--rows", type=click.IntRange(1, 100), default=6, show_default=True, help="How many images.")
@click.option("--columns", type=click.IntRange(2, 50), default=7, show_default=True, help="How many views of each.")
@seed("Of the augmentation.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
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
    """Draw what a network will see: each image as in evaluation, then as augmented in the first epochs."""
    network = load(reference, settings, recipe)
    input_shape = network.graph().input_shape
    for warning in network.warnings():
        click.echo(coloured(render(warning)), err=True)
    if out.suffix != ".png":
        raise fail("bad-output", f"the name `{out}` does not end in `.png`", help=f"write `-o {out.name}.png`")
    if out.is_dir() or (out.exists() and not overwrite):
        raise fail("output-exists", f"`{out}` exists", help="give another name, or `--overwrite`")
    from archspec.runtime.data.report.preview import preview

    shown, views = preview(
        input_shape,
        network.recipe,
        network.protocol,
        data,
        out,
        rows=rows,
        columns=columns,
        seed=seed,
        skip_bad_images=skip_bad_images,
        report=lambda line: click.echo(line, err=True),
    )
    click.echo(f"wrote {out}: {shown} images, {views} views of each, before `preprocess`")
