"""`archspec report RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec import api
from archspec.cli.options import count_option
from archspec.cli.terminal import DataCommand, progress_line
from archspec.format import byte_size


@click.command("report", cls=DataCommand)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write: .html, or .md with its pictures in a folder beside it.",
)
@click.option("--data", metavar="DATA", help="Where the data of the run is now, or other images to evaluate on.")
@click.option(
    "--split", metavar="PART", help="The part of DATA to evaluate on, such as test.  [default: the run's validation]"
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME,...",
    help=f"Evaluation protocols: {', '.join(api.evaluation_protocols())}; or `spec`: all protocols of the spec.  "
    "[default: the first of the spec, or center]",
)
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE.npz",
    help="Show saved predictions (`archspec evaluate --save-predictions`) instead of evaluating; repeatable.",
)
@count_option("--batch-size", 128, "Views in a step")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
def command(
    run: Path,
    out: Path,
    data: str | None,
    split: str | None,
    protocols: tuple[str, ...],
    predictions: tuple[Path, ...],
    batch_size: int,
    overwrite: bool,
) -> None:
    """Write a report of a training run as one HTML file, which opens in any browser, or as Markdown.

    It shows the network, the recipe in words, learning curves, metrics with confidence intervals, the confusion matrix,
    all classes, the most confident mistakes and the least sure images with Grad-CAM, the data, the environment, and how
    to reproduce the run. The best network is evaluated on the validation images of the run; if they are no longer
    there, the report has no images and says so.
    """
    api.check_report_file(out, overwrite=overwrite)
    found = api.report(
        run,
        data=data,
        split=split,
        protocols=protocols,
        predictions=predictions,
        batch_size=batch_size,
        progress=progress_line,
    )
    for note in found.notes:
        progress_line(f"note: {note}")
    path = found.save(out, overwrite=overwrite)
    progress_line(f"wrote {path} ({byte_size(path.stat().st_size)})")
