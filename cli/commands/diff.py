"""`archspec diff REF REF`."""

from __future__ import annotations

from typing import get_args

import click

from archspec import api
from archspec.cli.options import complete_reference, format_option, load, settings
from archspec.diagnostics import terminal_text
from archspec.format import wrapped

COLORS = {"-": "red", "+": "green", "~": "yellow"}


@click.command("diff")
@click.argument("left", metavar="REF", shell_complete=complete_reference)
@click.argument("right", metavar="REF", shell_complete=complete_reference)
@settings
@format_option(*get_args(api.DiffFormat))
@click.option(
    "--context",
    default=1,
    show_default=True,
    type=click.IntRange(min=0),
    help="Number of equal layers to show around each change.",
)
def command(left: str, right: str, settings: tuple[str, ...], format_: api.DiffFormat, context: int) -> None:
    """Compare two networks layer by layer: arguments, shapes, inputs and totals. Needs no TensorFlow.

    --set applies to both networks.

    \b
    - marks layers of the first network only, + layers of the second only, ~ layers that differ
    """
    text = api.diff(load(left, settings), load(right, settings)).render(format_, context=context)
    text = terminal_text(text)
    click.echo("\n".join(map(_colored, wrapped(text).split("\n"))) if format_ == "text" else text)


def _colored(line: str) -> str:
    """In the color of its sign; click drops colors when the output is not a terminal."""
    return click.style(line, fg=COLORS[line[0]]) if line[:1] in COLORS else line
