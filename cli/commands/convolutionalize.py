"""`archspec convolutionalize SOURCE`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from archspec import api
from archspec.cli.options import complete_reference, custom, load, overwrite, settings
from archspec.cli.terminal import echo
from archspec.diagnostics import counted
from archspec.format import byte_size


@click.command("convolutionalize")
@click.argument("source", metavar="REF|MODEL", shell_complete=complete_reference)
@settings
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The spec (.yaml) or model (.keras) to write.  [default: print the spec]",
)
@click.option(
    "--output",
    type=click.Choice(get_args(api.DenseOutput)),
    default="scores",
    show_default=True,
    help="Output of the network; see above.",
)
@custom
@overwrite
def command(source: str, settings: tuple[str, ...], out: Path | None, output: api.DenseOutput, overwrite: bool) -> None:
    """Convert a network into a fully convolutional one, which takes images of any size, with the same weights.

    Write a spec for a REF. Write a spec or a model for a MODEL (a `.keras` file or a run directory).

    \b
    --output is one of
      scores           a map of softmax outputs, one vector for each position of the original input window
      logits           the same map before the softmax
      mean_scores      one vector: the mean of the scores over all positions
      softmax_of_mean  one vector: the softmax of the mean of the logits, as in the VGG paper
    """
    trained = api.is_model(source)
    if trained and settings:
        raise click.UsageError("--set changes a spec; MODEL is already built.")
    if out is not None:
        api.check_output(out, ".yaml", ".yml", ".keras", overwrite=overwrite)
    found = api.convolutionalize_spec(source if trained else load(source, settings), output=output)
    if out is None:
        click.echo(found.spec, nl=False)
        return
    found.write(out, overwrite=overwrite)
    if out.suffix == ".keras":
        graph = found.graph
        echo(f"wrote {out}: {graph.name}, {counted(graph.params, 'parameter')}, {byte_size(out.stat().st_size)}")
    else:
        echo(f"wrote {out}: {found.spec.count(chr(10))} lines")
    if found.effects:
        echo("exact at the training size; on larger images it differs from the original on crops by")
        for effect in found.effects:
            echo(f"  {effect}")
    else:
        echo("exact: each position of the map has the output of the original for the crop at that position")
    if out.suffix != ".keras":
        shape = found.original.input_shape
        larger = [size + size // 2 for size in shape[:-1] if size] + [shape[-1]]
        echo(f"next, try:\n  archspec summarize {out} --set input={str(larger).replace(' ', '')}")
