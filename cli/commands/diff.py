"""`archspec diff REF REF`."""

from __future__ import annotations

import click

from archspec.cli.options import complete_reference, format_option, load, settings
from archspec.graph.diff.diff import difference
from archspec.graph.diff.formats import FORMATS

COLOURS = {"-": "red", "+": "green", "~": "yellow"}


@click.command("diff")
@click.argument("left", metavar="REF", shell_complete=complete_reference)
@click.argument("right", metavar="REF", shell_complete=complete_reference)
@settings
@format_option(*FORMATS)
@click.option(
    "--context", default=1, show_default=True, type=click.IntRange(min=0), help="Equal layers around changes."
)
def command(left: str, right: str, settings: tuple[str, ...], format_: str, context: int) -> None:
    """Show how two networks differ: layers, shapes, totals. Needs no TensorFlow. --set is for both.

    \b
    - is in the first only, + in the second only, ~ differs
    """
    text = FORMATS[format_](difference(load(left, settings).graph(), load(right, settings).graph()), context)
    click.echo("\n".join(map(_coloured, text.split("\n"))) if format_ == "text" else text)


def _coloured(line: str) -> str:
    """In the colour of its sign; click leaves colours out where the output is no terminal."""
    return click.style(line, fg=COLOURS[line[0]]) if line[:1] in COLOURS else line
