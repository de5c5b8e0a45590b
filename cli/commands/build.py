"""`archspec build REF`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import load, overwrite, reference, seed, settings
from archspec.cli.terminal import echo, progress_line
from archspec.format import byte_size


@click.command("build")
@reference
@settings
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The `.keras` file to write.")
@seed("Seed of the initial weights")
@click.option("--weights", metavar="FILE", help="Load these weights instead of initial ones; see above.")
@overwrite
def command(
    reference: str, settings: tuple[str, ...], out: Path, seed: int, weights: str | None, overwrite: bool
) -> None:
    """Build the Keras model of a network and save it, with initial weights or the weights of a file.

    Keras can load the result without archspec.

    \b
    FILE of --weights is one of
      FILE.keras, FILE.weights.h5      weights of archspec or Keras
      FILE.h5                          weights of keras.applications
      FILE.pth, FILE.safetensors       a state dict of torchvision or timm; reading it runs no code
      keras:imagenet, keras:ResNet50   weights that keras.applications downloads
    """
    network = load(reference, settings)
    if weights is None and Path(reference).is_dir():
        progress_line(f"note: the weights are new; `--weights {reference}` takes those of the trained network")
    built = network.save(out, weights=weights, seed=seed, overwrite=overwrite)
    if built.weights is not None and weights is not None:
        echo(built.weights.describe(weights))
    echo(f"wrote {out}: {network.name}, {built.parameters:,} parameters, {byte_size(built.bytes)}")
