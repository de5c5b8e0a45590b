"""`archspec export MODEL`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.format import byte_size


@click.command("export")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
def command(model: Path, out: Path) -> None:
    """Export a SavedModel that a program without archspec can load.

    \b
    Its signatures are
      serving_default  float images as the network takes them -> probabilities
      serve_images     JPEG or PNG bytes -> class names with probabilities; preprocessing included
    """
    from archspec.runtime.export import export

    done = export(model, out)
    click.echo(f"wrote {done.directory} ({byte_size(done.bytes)}) with {' and '.join(done.signatures)}")
    click.echo(f"loaded it again: its probabilities differ from the network's by at most {done.largest_difference:.1e}")
    click.echo(f'in Python: tf.saved_model.load("{done.directory}").signatures["{done.signatures[-1]}"]')
