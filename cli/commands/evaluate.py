"""`archspec evaluate MODEL...`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from archspec import api
from archspec.cli.options import cluster, count_option, custom, devices, format_option, seed, skip_bad_images
from archspec.cli.terminal import echo, progress_line


@click.command(
    "evaluate", epilog="`multi-scale: [256, 384]` gives a protocol its arguments; docs/protocols.md describes them."
)
@click.argument("models", nargs=-1, required=True, type=click.Path(), metavar="MODEL[:PROTOCOL]...")
@click.option("--data", metavar="DATA", help="Labelled images: a data source, as for `archspec train`.")
@click.option(
    "--validation-split",
    type=float,
    metavar="SHARE",
    help="The share of the images held out in training; evaluates on the same images.",
)
@seed("Seed of --validation-split, as in training")
@click.option(
    "--split",
    metavar="PART",
    default="validation",
    show_default=True,
    help="The part of DATA to evaluate on: train, validation, test, or any other part that DATA has.",
)
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Names of the models' classes: one per line, ImageNet's synset list, or JSON; DATA may have any of these.  "
    "[default: those of the models]",
)
@click.option("--present-classes", is_flag=True, help="Restrict the predictions to the classes that have images.")
@click.option(
    "--threshold",
    type=float,
    metavar="SHARE",
    help="The least probability that a sigmoid output decides for.  [default: evaluate.threshold of the spec, 0.5]",
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME,...",
    help=f"Evaluation protocols: {', '.join(api.evaluation_protocols())}; or `spec`: all protocols of the spec.  "
    "[default: the first of the spec, or center]",
)
@click.option("--ensemble", is_flag=True, help="Average the softmax outputs of all models, for each protocol.")
@click.option("--weights", metavar="NUMBER,...", help="Weights of the ensemble members.  [default: equal]")
@count_option("--batch-size", 128, "Views in a step")
@click.option(
    "--save-predictions",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Save the softmax outputs; the file can be used as a MODEL later.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A new folder for tables, plots, the prediction of each image, and contact sheets of the mistakes.",
)
@click.option(
    "--explain",
    metavar="METHOD",
    help="Draw maps of the predicted and the true class on the contact sheets: gradcam, occlusion, or any other method "
    "of `archspec explain` that has --class.",
)
@click.option(
    "--recompute-bn",
    metavar="DATA",
    help="Normalize by the statistics of the training images of DATA instead of the moving averages of training "
    "(Ioffe & Szegedy 2015, Algorithm 2).",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier --out and --save-predictions.")
@devices
@cluster
@custom
@skip_bad_images
@format_option(*get_args(api.EvaluationFormat))
def command(
    models: tuple[str, ...],
    data: str | None,
    validation_split: float | None,
    seed: int,
    split: str,
    classes: Path | None,
    present_classes: bool,
    threshold: float | None,
    protocols: tuple[str, ...],
    ensemble: bool,
    weights: str | None,
    batch_size: int,
    save_predictions: Path | None,
    out: Path | None,
    explain: str | None,
    recompute_bn: str | None,
    overwrite: bool,
    devices: str | None,
    worker: int | None,
    workers: str | None,
    skip_bad_images: bool,
    format_: api.EvaluationFormat,
) -> None:
    """Evaluate model files, run directories or saved predictions (.npz) with the evaluation protocols of papers.

    Print top-1 and top-5 error with confidence intervals, the errors of each class and the confusion matrix; for
    sigmoid outputs AUC, mAP and F1, for numbers R2 and RMSE; for several models, protocols or outputs, one table. To
    continue an interrupted evaluation, run the same command again. Several workers share the images; worker 0 prints
    and writes.
    """
    if explain is not None and out is None:
        raise click.UsageError("--explain draws into the folder --out: give -o DIR")
    found_cluster = api.find_cluster(worker, workers, evaluation=True)
    reports = found_cluster is None or found_cluster.is_chief
    try:
        results = api.evaluate_all(
            models,
            data,
            protocols=protocols,
            ensemble=ensemble,
            weights=None if weights is None else _numbers(weights),
            save_predictions=save_predictions,
            out=out,
            explain=explain,
            recompute_bn=recompute_bn,
            overwrite=overwrite,
            split=split,
            validation_split=validation_split,
            seed=seed,
            classes=classes,
            present_classes=present_classes,
            threshold=threshold,
            batch_size=batch_size,
            devices=devices,
            skip_bad_images=skip_bad_images,
            cluster=found_cluster,
            report=progress_line,
        )
    except KeyboardInterrupt:
        progress_line("finished batches are kept; run the same command again to continue")
        raise
    if reports:
        echo(results.render(format_), format_)
        if out is not None:
            sheets = ", and contact sheets of the mistakes" if any(out.rglob("mistakes.png")) else ""
            progress_line(f"wrote {out}: evaluation.json, tables, plots, images.csv with each prediction{sheets}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"`{text}` is not a list of numbers such as 2,1", param_hint="--weights") from None
