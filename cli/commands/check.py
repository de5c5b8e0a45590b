"""`archspec check SPEC...`."""

from __future__ import annotations

import json

import click

from archspec import api
from archspec.cli.options import complete_reference, format_option
from archspec.cli.terminal import echo, print_diagnostics
from archspec.diagnostics import printable


@click.command("check")
@click.argument("specs", nargs=-1, metavar="[SPEC]...", shell_complete=complete_reference)
@format_option("text", "json")
@click.pass_context
def command(ctx: click.Context, specs: tuple[str, ...], format_: str) -> None:
    """Check specs for errors: syntax, shapes, recipes, and the figures they expect.

    Without a SPEC, check all specs that come with archspec. Exit with status 1 if there is an error; warnings do
    not count. `--format json` prints a list of diagnostics.
    """
    found = {spec: api.check(spec) for spec in specs or api.families()}
    diagnostics = [diagnostic for each in found.values() for diagnostic in each]
    if format_ == "json":
        click.echo(json.dumps([diagnostic.to_json() for diagnostic in diagnostics], indent=1))
    else:
        for spec, wrong in found.items():
            if all(each.severity == "warning" for each in wrong):
                echo(f"{printable(spec)}: ok")
        print_diagnostics(diagnostics)
    if any(each.severity == "error" for each in diagnostics):
        ctx.exit(1)
