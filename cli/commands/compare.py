"""`archspec compare REF|RUN...`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from archspec import api
from archspec.cli.options import complete_reference, format_option, overwrite, settings
from archspec.cli.terminal import echo, progress_line


@click.command("compare")
@click.argument("references", metavar="[REF|RUN]...", nargs=-1, shell_complete=complete_reference)
@click.option("--family", multiple=True, metavar="FAMILY", help="Compare all variants of a family; repeatable.")
@settings
@click.option("-o", "--out", type=click.Path(path_type=Path), help="A folder for the tables and pictures.")
@click.option(
    "--pictures",
    type=click.Choice(get_args(api.PictureFormat)),
    help="Format of the pictures in the folder of -o; png and pdf need the extra `draw`.  [default: svg]",
)
@click.option(
    "--measure",
    is_flag=True,
    help="Measure inference on this machine, in images per second, and compare it with the roofline. Needs TensorFlow.",
)
@click.option(
    "--batch-size",
    "batch_sizes",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="N",
    help="A batch size for --measure; repeatable.  [default: 1, 16]",
)
@format_option(*get_args(api.ComparisonFormat))
@overwrite
def command(
    references: tuple[str, ...],
    family: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path | None,
    pictures: api.PictureFormat | None,
    measure: bool,
    batch_sizes: tuple[int, ...],
    format_: api.ComparisonFormat,
    overwrite: bool,
) -> None:
    """Compare networks and runs: cost, error rates, speed, learning curves, recipes.

    A REF without a variant stands for all variants of its family. A RUN is a run directory, or a folder that `archspec
    evaluate RUN -o FOLDER` wrote. Error rates are marked as measured (by archspec) or published (by others, in the
    spec, with their source).

    With -o, a folder holds the tables (comparison.md, .csv, .json) and pictures: accuracy against MACs and parameters,
    information density, depth by year, cost by depth, speed, learning curves with bands over seeds.
    """
    if batch_sizes and not measure:
        raise click.UsageError("--batch-size needs --measure.")
    if pictures and out is None:
        raise click.UsageError("--pictures needs -o, the folder that the pictures are written to.")
    if not references and not family:
        raise click.UsageError("Name networks, run directories or a --family to compare.")
    if out is not None:
        api.check_comparison_folder(out, overwrite=overwrite)
    comparison = api.compare(
        *references,
        family=family,
        measure=measure,
        batch_sizes=batch_sizes or (1, 16),
        progress=progress_line,
        **api.parse_settings(settings),
    )
    files = [] if out is None else comparison.save(out, pictures=pictures or "svg", overwrite=overwrite)
    echo(comparison.render(format_), format_)
    for file in files:
        progress_line(f"wrote {file}")
