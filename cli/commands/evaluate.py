"""`archspec evaluate MODEL...`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from archspec.cli.options import devices, format_option, seed, several_hosts, skip_bad_images
from archspec.protocols import PROTOCOLS


@click.command(
    "evaluate", epilog="`multi-scale: [256, 384]` gives a protocol its arguments; docs/protocols.md has all."
)
@click.argument("models", nargs=-1, required=True, type=click.Path(), metavar="MODEL[:PROTOCOL]...")
@click.option("--data", metavar="DATA", help="Images, as `train --data` takes them.")
@click.option("--validation-split", type=float, metavar="SHARE", help="As in training, to get the same images again.")
@seed("As in training, with --validation-split.")
@click.option("--split", type=click.Choice(["validation", "train"]), default="validation", show_default=True)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME,...",
    help=f"Evaluation protocols: {', '.join(PROTOCOLS.with_plugins())}; or `spec`: all protocols of the spec.  "
    "[default: the first of the spec, or center]",
)
@click.option("--ensemble", is_flag=True, help="Average the softmax outputs of all models, for each protocol.")
@click.option("--weights", metavar="NUMBER,...", help="Of the members of the ensemble.  [default: all alike]")
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Views a step.")
@click.option("--save-predictions", type=click.Path(path_type=Path), metavar="FILE.npz", help="MODELs for later.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="A folder for tables, confusion.png, .csv and JSON.")
@devices
@several_hosts
@skip_bad_images
@format_option("text", "json", "markdown", "csv")
def command(
    models: tuple[str, ...],
    data: str | None,
    validation_split: float | None,
    seed: int,
    split: str,
    protocols: tuple[str, ...],
    ensemble: bool,
    weights: str | None,
    batch_size: int,
    save_predictions: Path | None,
    out: Path | None,
    devices: str | None,
    worker: int | None,
    workers: str | None,
    skip_bad_images: bool,
    format_: str,
) -> None:
    """Evaluate model files, run directories or saved predictions (.npz) by the test protocols of papers.

    Top-1 and top-5 error with confidence intervals, each class, the confusion matrix; of several models or protocols
    one table. What is stopped goes on where it was when the same command is given again.
    Several hosts share the images; worker 0 prints and writes.
    """
    from archspec.lang.schema.protocol_text import parse_protocols
    from archspec.runtime.distributed.cluster import find_hosts
    from archspec.runtime.evaluation.batch_evaluate import evaluate_all
    from archspec.runtime.evaluation.report_files import evaluation_text, write_evaluation, write_evaluations
    from archspec.runtime.evaluation.tables import csv_table, markdown_table, text_table
    from archspec.runtime.system.atomic_write import check_folder

    hosts = find_hosts(worker, workers, alone="evaluator")
    reports = hosts is None or hosts.is_chief
    shares = None if weights is None else _numbers(weights)
    chosen = parse_protocols(protocols)
    if out is not None and reports:
        check_folder(out)
    try:
        results = evaluate_all(
            models,
            data,
            protocols=chosen,
            ensemble=ensemble,
            weights=shares,
            save=save_predictions,
            split=split,  # type: ignore[arg-type]
            validation_split=validation_split,
            seed=seed,
            batch_size=batch_size,
            devices=devices,
            skip_bad_images=skip_bad_images,
            hosts=hosts,
            report=lambda line: click.echo(line, err=True),
        )
    except KeyboardInterrupt:
        click.echo("what is done is kept: the same command goes on from there", err=True)
        raise
    if not reports:
        return
    if format_ == "json":
        several = {"evaluations": [each.to_json(confusion=False) for each in results]}
        click.echo(json.dumps(results[0].to_json() if len(results) == 1 else several))
    elif format_ == "text":
        click.echo(evaluation_text(results[0]) if len(results) == 1 else text_table(results))
    else:
        click.echo(markdown_table(results) if format_ == "markdown" else csv_table(results))
    if out is not None:
        write_evaluation(results[0], out) if len(results) == 1 else write_evaluations(results, out)
        click.echo(f"wrote {out}: tables, confusion.png, confusion.csv, classes.csv, evaluation.json", err=True)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"`{text}` is no list of numbers such as 2,1", param_hint="--weights") from None
