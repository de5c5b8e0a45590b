"""`archspec summarize REF`."""

from __future__ import annotations

import click

from archspec.cli.options import format_option, load, reference, settings
from archspec.graph.analysis.summary import FORMATS


@click.command("summarize")
@reference
@settings
@format_option(*FORMATS)
@click.option("--depth", type=click.IntRange(min=1), help="Fold layers whose paths share their first DEPTH words.")
def command(reference: str, settings: tuple[str, ...], format_: str, depth: int | None) -> None:
    """Show every layer of a network: shapes, parameters, MACs, memory, receptive field. Needs no TensorFlow."""
    click.echo(FORMATS[format_](load(reference, settings).graph(), depth))
