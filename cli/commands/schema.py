"""`archspec schema`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.lang.schema.spec_schema import text


@click.command("schema")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
def command(out: Path | None) -> None:
    """Print the JSON Schema of a page (draft-07), for editors.

    A page whose first line is `# yaml-language-server: $schema=PATH` gets completion in an editor.
    """
    if out is None:
        click.echo(text(), nl=False)
    else:
        out.write_text(text(), encoding="utf-8")
        click.echo(f"wrote {out}; begin a page with: # yaml-language-server: $schema={out}")
