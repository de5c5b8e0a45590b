"""`archspec summarize REF`."""

from __future__ import annotations

from typing import get_args

import click

from archspec import api
from archspec.cli.options import format_option, load, reference, settings
from archspec.cli.terminal import echo


@click.command("summarize")
@reference
@settings
@format_option(*get_args(api.SummaryFormat))
@click.option("--depth", type=click.IntRange(min=1), help="Fold layers whose paths share their first DEPTH components.")
def command(reference: str, settings: tuple[str, ...], format_: api.SummaryFormat, depth: int | None) -> None:
    """Show every layer of a network: shapes, parameters, MACs, memory, receptive field. Needs no TensorFlow."""
    text = api.summarize(load(reference, settings), depth=depth).render(format_)
    echo(text, format_)
