"""`archspec build REF`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import adapt_input, custom, load, overwrite, reference, seed, settings
from archspec.cli.terminal import echo, progress_line
from archspec.diagnostics import counted
from archspec.format import byte_size


@click.command("build")
@reference
@settings
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The `.keras` file to write.")
@seed("Seed of the initial weights")
@click.option("--weights", metavar="FILE", help="Load these weights instead of initial ones; see above.")
@custom
@adapt_input
@overwrite
def command(
    reference: str,
    settings: tuple[str, ...],
    out: Path,
    seed: int,
    weights: str | None,
    adapt_input: bool,
    overwrite: bool,
) -> None:
    """Build the Keras model of a network and save it, with initial weights or the weights of a file.

    Keras can load the result without archspec.

    \b
    FILE of --weights is one of
      FILE.keras, FILE.weights.h5      weights of archspec or Keras
      RUN                              a run directory: the weights of its best epoch
      FILE.h5                          weights of Keras 2 or keras.applications
      FILE.pth, FILE.safetensors       a state dict or checkpoint of PyTorch; reading it runs no code
      FILE.pth#KEY                     one of several sets of weights in a file: `run.ckpt#model_ema`
      keras:imagenet, keras:ResNet50   weights that keras.applications downloads
    """
    if adapt_input and weights is None:
        raise click.UsageError("--adapt-input adapts the weights of --weights, which is missing.")
    network = load(reference, settings)
    if weights is None and Path(reference).is_dir():
        progress_line(f"note: the weights are new; `--weights {reference}` takes those of the trained network")
    built = network.save(out, weights=weights, adapt_input=adapt_input, seed=seed, overwrite=overwrite)
    if built.weights is not None and weights is not None:
        echo(built.weights.describe(weights))
    echo(f"wrote {out}: {network.name}, {counted(built.parameters, 'parameter')}, {byte_size(built.bytes)}")
