"""`archspec draw REF... -o FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from archspec import api
from archspec.cli.options import complete_reference, overwrite, settings
from archspec.cli.terminal import echo
from archspec.diagnostics import terminal_text

TEXTS = {"text": ".txt", "markdown": ".md", "latex": ".tex", "html": ".html"}
"""Formats for standard output, with the suffixes of their files."""


def figures(ctx: click.Context, param: click.Parameter, text: str | None) -> list[str] | None:
    """The names in a list such as `params,macs`."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in get_args(api.Figure):
            raise click.BadParameter(f"'{name}' is not one of {', '.join(get_args(api.Figure))}.")
    return names


class DrawCommand(click.Command):
    """A command whose help lists the styles."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        with formatter.section("STYLE is one of"):
            formatter.write_dl(api.drawing_styles())


@click.command("draw", cls=DrawCommand)
@click.argument("references", metavar="REF...", nargs=-1, required=True, shell_complete=complete_reference)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write: its suffix is .svg, .png, .pdf or .html; for the style table also .md, .tex or .txt. "
    "Without it, the style table is printed.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(TEXTS)),
    help="table: the format that is printed without -o.  [default: text]",
)
@click.option(
    "--style",
    type=click.Choice(get_args(api.DrawingStyle)),
    default="graph",
    show_default=True,
    metavar="STYLE",
    help="What the drawing shows.",
)
@settings
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    help="graph: draw a block whose path has DEPTH components as one box.  [default: what fits a page]  "
    "cost: fold layers as `archspec summarize --depth` does.",
)
@click.option("--unfold", is_flag=True, default=None, help="graph: draw every copy of a repeated block.")
@click.option("--direction", type=click.Choice(get_args(api.Direction)), help="graph: where the output is.")
@click.option("--show", metavar="FIGURE,...", callback=figures, help="graph: figures in the boxes: params, macs.")
@click.option("--log", is_flag=True, default=None, help="volumes: sizes in proportion to their logarithms.")
@click.option("--layer", metavar="PATH", help="receptive-field: show this layer or block alone.")
@click.option("--image", type=click.Path(path_type=Path), help="receptive-field: an image to draw the windows on.")
@overwrite
def command(
    references: tuple[str, ...],
    out: Path | None,
    format_: str | None,
    style: api.DrawingStyle,
    settings: tuple[str, ...],
    depth: int | None,
    unfold: bool | None,
    direction: api.Direction | None,
    show: list[api.Figure] | None,
    log: bool | None,
    layer: str | None,
    image: Path | None,
    overwrite: bool,
) -> None:
    """Draw networks: layers and edges, feature maps, or the table of the paper. Needs no TensorFlow.

    The styles table and columns draw several networks; in the style table a family without a variant stands for all its
    variants.

    A REF is a network, a run directory, or a .keras file of any functional Keras model.
    """
    suffixes = api.drawing_suffixes(style)
    if out is None and ".txt" not in suffixes:
        raise click.UsageError("Give the file to write: `-o FILE.svg`. Only the style table can be printed.")
    if out is not None and format_:
        raise click.UsageError("--format is for printing; the suffix of FILE says the format of -o FILE.")
    if out is not None:
        api.check_output(out, *suffixes, overwrite=overwrite)
    drawing = api.draw(
        *references,
        style=style,
        depth=depth,
        unfold=unfold,
        direction=direction,
        show=show,
        log=log,
        layer=layer,
        image=image,
        **api.parse_settings(settings),
    )
    if out is None:
        echo(drawing.texts[TEXTS[format_ or "text"]](), "table")  # whose lines are not to be broken
        return
    drawing.save(out, overwrite=overwrite)
    click.echo(terminal_text(f"wrote {out}"))
