"""`archspec build REF`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import load, reference, seed, settings
from archspec.diagnostics import fail
from archspec.format import byte_size


@click.command("build")
@reference
@settings
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The `.keras` file to write.")
@seed("Of the initial weights.")
@click.option("--weights", metavar="FILE", help="Of archspec, Keras or PyTorch; `keras:imagenet` downloads.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def command(
    reference: str, settings: tuple[str, ...], out: Path, seed: int, weights: str | None, overwrite: bool
) -> None:
    """Build the Keras model and save it, with initial weights or those of a file. Keras alone can load the result.

    \b
    --weights takes
      FILE.keras, FILE.weights.h5      of archspec or Keras
      FILE.h5                          of keras.applications
      FILE.pth, FILE.safetensors       a state dict of torchvision or timm; read without running it
      keras:imagenet, keras:ResNet50   what keras.applications downloads
    """
    network = load(reference, settings)
    network.graph()  # mistakes in the page show before TensorFlow loads
    if out.suffix != ".keras":
        raise fail("bad-output", f"the name `{out}` does not end in `.keras`", help=f"write `-o {out.name}.keras`")
    if out.is_dir() or (out.exists() and not overwrite):
        raise fail("output-exists", f"`{out}` exists", help="give another name, or `--overwrite`")
    from archspec.runtime.models.build import seed_everything
    from archspec.runtime.models.metadata import Metadata
    from archspec.runtime.models.model_file import save_model

    seed_everything(seed)
    model = network.build(init=weights is None)
    if weights is not None:
        from archspec.runtime.weights import described, load_weights

        click.echo(described(load_weights(model, weights, graph=network.graph()), weights))
    metadata = Metadata(
        reference=network.reference,
        page=network.resolved_text(),
        preprocess=network.preprocess,
        resize=network.protocol.resize,
    )
    save_model(model, out, metadata)
    click.echo(f"wrote {out}: {network.name}, {model.count_params():,} parameters, {byte_size(out.stat().st_size)}")
