"""`archspec schema`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec import api


@click.command("schema")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.  [default: print it]"
)
def command(out: Path | None) -> None:
    """Print the JSON Schema (draft-07) of a spec, for editors.

    An editor completes and checks a spec whose first line is `# yaml-language-server: $schema=PATH`.
    """
    if out is None:
        click.echo(api.schema(), nl=False)
    else:
        api.write_text(out, api.schema(), overwrite=True)
        click.echo(f"wrote {out}; begin a spec with: # yaml-language-server: $schema={out}")
