"""`archspec export MODEL`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec import api
from archspec.format import byte_size


@click.command("export")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder to write.")
def command(model: Path, out: Path) -> None:
    """Export a model as a SavedModel, which TensorFlow loads and serves without archspec.

    \b
    Its signatures are
      serving_default  float images, preprocessed -> probabilities
      serve_images     JPEG or PNG bytes -> class names with probabilities; includes the preprocessing
    """
    done = api.export(model, out)
    click.echo(f"wrote {done.directory} ({byte_size(done.bytes)}) with {' and '.join(done.signatures)}")
    click.echo(f"checked: its probabilities differ from those of the model by at most {done.largest_difference:.1e}")
    click.echo(f'in Python: tf.saved_model.load("{done.directory}").signatures["{done.signatures[-1]}"]')
