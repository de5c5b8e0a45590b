"""`archspec convolutionalize SOURCE`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.cli.options import complete_reference, load, settings
from archspec.diagnostics import fail
from archspec.format import byte_size
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import OUTPUTS
from archspec.graph.rewrite.fully_convolutional_spec import fully_convolutional_spec
from archspec.graph.rewrite.padding_effects import dense_effects


@click.command("convolutionalize")
@click.argument("source", metavar="REF|MODEL", shell_complete=complete_reference)
@settings
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The page (.yaml) or model (.keras) to write.")
@click.option("--output", type=click.Choice(OUTPUTS), default="scores", show_default=True, help="What it gives.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def command(source: str, settings: tuple[str, ...], out: Path | None, output: str, overwrite: bool) -> None:
    """Turn dense layers into convolutions: the network takes images of any size, its weights stay what they are.

    \b
    From a REF or a MODEL (.keras, or a run) comes a page, on standard output without -o; from a MODEL also a model.
    --output is one of
      scores           a map of the scores that the original gives at each position, after its softmax
      logits           the same map before the softmax
      mean_scores      one vector, the mean of the scores over all positions
      softmax_of_mean  one vector, the softmax of the mean of the logits: the dense evaluation of the VGG paper
    """
    trained = source.endswith(".keras") or Path(source).is_dir()
    if trained and settings:
        raise click.UsageError("--set changes a page, and a model has its own.")
    if out is not None:
        _check_name(out, source, trained=trained, overwrite=overwrite)
    if trained:
        from archspec.runtime.dense.convert_file import dense_form

        form = dense_form(source, output=output)
        graph, dense, page = form.graph, form.dense, form.page
    else:
        network = load(source, settings)
        graph = network.graph()
        dense, page = fully_convolutional_spec(
            graph, output=output, preprocess=network.preprocess, resize=network.protocol.resize
        )
    if out is None:
        click.echo(page.text, nl=False)
        return
    from archspec.runtime.system.atomic_write import write_text

    if trained and out.suffix == ".keras":
        from archspec.runtime.dense.convert_file import write_dense

        write_dense(form, out)
        click.echo(f"wrote {out}: {dense.name}, {dense.params:,} parameters, {byte_size(out.stat().st_size)}")
    else:
        write_text(out, page.text)
        click.echo(f"wrote {out}: {page.text.count(chr(10))} lines")
    _report(graph, dense)
    if out.suffix != ".keras":
        larger = [size + size // 2 for size in graph.input_shape[:-1] if size] + [graph.input_shape[-1]]
        click.echo(f"next, try:\n  archspec summarize {out} --set input={str(larger).replace(' ', '')}")


def _check_name(out: Path, source: str, *, trained: bool, overwrite: bool) -> None:
    if out.suffix not in (".yaml", ".yml", ".keras"):
        message = f"the name `{out}` ends neither in `.yaml` nor in `.keras`"
        raise fail("bad-output", message, help="`.yaml` writes the page, `.keras` a model with its weights")
    if out.suffix == ".keras" and not trained:
        message = f"`{source}` is a page and has no weights for `{out}`"
        raise fail("bad-output", message, help=f"`archspec build {source} -o model.keras` first, then give that file")
    if out.is_dir() or (out.exists() and not overwrite):
        raise fail("output-exists", f"`{out}` exists", help="give another name, or `--overwrite`")


def _report(graph: Graph, dense: Graph) -> None:
    effects = dense_effects(graph, dense)
    if not effects:
        click.echo("exact: its map has what the original gives for the crop at each position")
        return
    click.echo("at the training size exact; on a larger image it differs from the original on crops by")
    for effect in effects:
        click.echo(f"  {effect}")
