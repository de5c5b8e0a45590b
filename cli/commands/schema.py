"""`archspec schema`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec import api
from archspec.cli.options import overwrite
from archspec.cli.terminal import echo


@click.command("schema")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.  [default: print it]"
)
@overwrite
def command(out: Path | None, overwrite: bool) -> None:
    """Print the JSON Schema (draft-07) of a spec, for editors.

    An editor completes and checks a spec whose first line is `# yaml-language-server: $schema=PATH`.
    """
    if out is None:
        click.echo(api.schema(), nl=False)
    else:
        api.write_text(out, api.schema(), overwrite=overwrite or _is_schema(out))
        echo(f"wrote {out}; begin a spec with:\n# yaml-language-server: $schema={out}")


def _is_schema(file: Path) -> bool:
    """Whether a file is a schema that archspec wrote, which a new one replaces unasked."""
    try:
        with file.open(encoding="utf-8") as text:
            return '"title": "archspec spec"' in text.read(1000)
    except (OSError, ValueError):
        return False
