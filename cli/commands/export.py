"""`archspec export MODEL`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec import api
from archspec.cli.terminal import echo
from archspec.format import byte_size

FORMATS = dict(api.export_formats())
HELP = "Export a trained model for programs without archspec.\n\n" + "\n\n".join(
    f"\b\n--format {name}\n" + "\n".join(f"  {line}".rstrip() for line in text.splitlines() if line)
    for name, text in FORMATS.items()
)


@click.command("export", help=HELP)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder or file to write.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="savedmodel",
    show_default=True,
    help="Export format.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def command(model: Path, out: Path, format_: str, overwrite: bool) -> None:
    done = api.export(model, out, format=format_, overwrite=overwrite)
    echo(f"wrote {done.path} ({byte_size(done.bytes)}) with {' and '.join(done.signatures)}")
    echo(f"checked: its probabilities differ from those of the model by at most {done.largest_difference:.1e}")
    echo(done.usage)
