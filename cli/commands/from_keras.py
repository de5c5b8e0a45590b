"""`archspec from-keras SOURCE`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec import api
from archspec.cli.options import custom, overwrite
from archspec.cli.terminal import echo


@click.command("from-keras")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The spec to write.  [default: print it]")
@click.option("--name", metavar="NAME", help="Name of the spec.  [default: the name of the model]")
@custom
@overwrite
def command(source: str, out: Path | None, name: str | None, overwrite: bool) -> None:
    """Write the spec of a Keras model: the reverse of `archspec build`.

    Repeated layers become blocks and `repeat`.

    \b
    SOURCE is one of
      FILE.keras        a functional or sequential model of Keras layers; a file of archspec contains its spec
      FILE.h5           a whole model of Keras 2 or 3 in HDF5
      RUN               a run directory: the spec of its network
      keras:ResNet50    a function of keras.applications
    """
    if out is not None:
        api.check_output(out, overwrite=overwrite)
    text = api.from_keras(source, name=name)
    if out is None:
        click.echo(text, nl=False)
        return
    api.write_text(out, text, overwrite=overwrite)
    for line in text.splitlines()[1:2]:
        if line.startswith("# Left out"):
            echo(f"note: {line.removeprefix('# ')}")
    echo(f"wrote {out}: {text.count(chr(10))} lines; next, try:")
    echo(f"  archspec summarize {out}")
    if not source.startswith("keras:"):
        click.echo(f"  archspec build {out} --weights {source} -o {out.with_suffix('.keras').name}")
