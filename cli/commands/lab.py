"""`archspec lab [NAME]`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click
from click.shell_completion import CompletionItem

from archspec import api
from archspec.cli.terminal import DataCommand, echo, progress_line
from archspec.format import duration

ALL = "all"


def complete_lab(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Labs of archspec, else files."""
    found = [CompletionItem(each.name) for each in api.list_labs() if each.name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


@click.command("lab", cls=DataCommand)
@click.argument("name", metavar="[NAME|FILE|all]", required=False, shell_complete=complete_lab)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The folder to write, or to continue in.")
@click.option("--data", metavar="DATA", help="Labelled images for a lab that needs photos, or instead of its own data.")
@click.option(
    "--scale",
    type=click.Choice(get_args(api.LabScaleName)),
    default="default",
    show_default=True,
    help="`tiny` checks that the lab runs; `full` has the sizes and lengths of the papers.",
)
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="Number of seeds.  [default: those of the lab]")
@click.option("--overwrite", is_flag=True, help="Replace another lab, or other settings, in that folder.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    out: Path | None,
    data: str | None,
    scale: api.LabScaleName,
    seeds: int | None,
    overwrite: bool,
) -> None:
    """Run a classroom experiment: a claim about convolutional networks, tested on small data in minutes.

    Without a NAME the labs are listed with their claim, source and time. A lab writes its specs, runs, numbers, a
    figure and a verdict into a folder, and continues there after an interruption. A FILE is a lab of your own. `all`
    runs every lab and writes one page with all figures and verdicts.
    """
    if name is None:
        if out is not None:
            raise click.UsageError("Missing argument 'NAME'.", ctx)
        echo("\n\n".join(map(described, api.list_labs())))
        return
    if out is None:
        raise click.UsageError("Missing option '--out'.", ctx)
    try:
        if name == ALL:
            book = api.lab_book(out=out, data=data, scale=scale, seeds=seeds, overwrite=overwrite, report=progress_line)
            text, page = str(book), book.path
        else:
            result = api.lab(name, out=out, data=data, scale=scale, seeds=seeds, overwrite=overwrite)
            text, page = result.render(), out / "index.html"
    except (KeyboardInterrupt, SystemExit):
        progress_line("finished parts are kept; run the same command again to continue")
        raise
    echo(text)
    echo(f"wrote {page}")


def described(lab: api.LabSummary) -> str:
    """A lab in the list."""
    needs = "; needs --data with photos" if lab.data == "photos" else ""
    return f"{lab.name}  ({duration(lab.seconds)}{needs})\n  {lab.claim}\n  source: {lab.source}"
