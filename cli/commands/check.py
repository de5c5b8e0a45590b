"""`archspec check PAGE...`."""

from __future__ import annotations

import json

import click

from archspec import api
from archspec.cli.main import coloured
from archspec.cli.options import complete_reference, format_option
from archspec.diagnostics import render


@click.command("check")
@click.argument("pages", nargs=-1, metavar="[PAGE]...", shell_complete=complete_reference)
@format_option("text", "json")
@click.pass_context
def command(ctx: click.Context, pages: tuple[str, ...], format_: str) -> None:
    """Check pages: syntax, shapes, and what they expect. Without a PAGE, all shipped ones.

    Exit status 1 when something is wrong; not for a warning. `--format json` prints the list of diagnostics.
    """
    found = {page: api.check(page) for page in pages or api.families()}
    diagnostics = [diagnostic for each in found.values() for diagnostic in each]
    if format_ == "json":
        click.echo(json.dumps([diagnostic.to_json() for diagnostic in diagnostics], indent=1))
    else:
        for page, wrong in found.items():
            if all(each.severity == "warning" for each in wrong):
                click.echo(f"{page}: ok")
        click.echo(
            "\n\n".join(coloured(render(diagnostic)) for diagnostic in diagnostics), err=True, nl=bool(diagnostics)
        )
    if any(each.severity == "error" for each in diagnostics):
        ctx.exit(1)
