"""Evaluate trained networks with the protocols of papers, and predict the classes of images."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.api.choices import EvaluationFormat, PredictionFormat
from archspec.api.training import Devices
from archspec.arguments import PositiveInt, Seed, StrPath, as_path, as_paths, public
from archspec.diagnostics import fail, listed
from archspec.protocols import PROTOCOLS
from archspec.wording import reporter

if TYPE_CHECKING:
    from archspec.runtime.distributed.cluster import Cluster
    from archspec.runtime.evaluation.result import Evaluation
    from archspec.runtime.predict import Prediction


class Evaluations(tuple["Evaluation", ...]):
    """The evaluations that `evaluate_all` returns: a tuple that can be printed and written."""

    def __repr__(self) -> str:
        return f"<Evaluations: {'; '.join(map(str, self))}>"

    def __str__(self) -> str:
        return self.render()

    @public()
    def render(self, format: EvaluationFormat = "text") -> str:
        """One evaluation with its classes, or a table of several: as text, JSON, Markdown or CSV."""
        from archspec.runtime.evaluation.outputs import csv_table, evaluation_text, markdown_table, text_table

        if format == "json":
            several = {"evaluations": [each.to_json(confusion=False) for each in self]}
            return json.dumps(self[0].to_json() if len(self) == 1 else several)
        if format == "text":
            return evaluation_text(self[0]) if len(self) == 1 else text_table(self)
        return markdown_table(self) if format == "markdown" else csv_table(self)

    @public()
    def write(self, directory: StrPath, *, overwrite: bool = False) -> Path:
        """Write evaluation.json, images.csv, classes.csv, confusion.csv and confusion.png of each, and the table.

        images.csv has a row for each image: path, label, prediction, whether it is correct, and the five most probable
        classes. The contact sheets of mistakes need the network and the images: only `evaluate_all` with `out` draws
        them.

        Args:
            directory: a new or empty folder.
            overwrite: replace the files of an earlier evaluation.

        Raises:
            ArchspecError: `output-exists`, `cannot-write`.
        """
        from archspec.runtime.evaluation.outputs import EvaluationOutputs

        outputs = EvaluationOutputs(Path(directory), overwrite=overwrite)
        outputs.check()
        outputs.write(self, [], lambda line: None)
        return Path(directory)


@public(model="`archspec.evaluate_all` evaluates several models")
def evaluate(
    model: StrPath,
    data: StrPath | None = None,
    *,
    protocol: str | None = None,
    split: str = "validation",
    validation_split: float | None = None,
    seed: Seed = 0,
    classes: StrPath | None = None,
    present_classes: bool = False,
    recompute_bn: StrPath | None = None,
    threshold: float | None = None,
    output: str | None = None,
    batch_size: PositiveInt = 128,
    devices: Devices = None,
    skip_bad_images: bool = False,
    cluster: Cluster | None = None,
    report: Callable[[str], None] | None = None,
) -> Evaluation:
    """Evaluate one model with one protocol: error rates with confidence intervals, loss, confusion matrix.

    The evaluation of a network with sigmoid outputs or of numbers is a subclass, with the metrics of its target.

    Args:
        protocol: `ten-crop`, `multi-scale: [256, 384]`, ... (docs/protocols.md); by default the first of the model's
            spec, or `center`.
        output: the name of the output, of a network with several targets; by default the first.

    The other arguments and the errors are those of `evaluate_all`.
    """
    found = evaluate_all(
        [model],
        data,
        protocols=() if protocol is None else [protocol],
        split=split,
        validation_split=validation_split,
        seed=seed,
        classes=classes,
        present_classes=present_classes,
        recompute_bn=recompute_bn,
        threshold=threshold,
        batch_size=batch_size,
        devices=devices,
        skip_bad_images=skip_bad_images,
        cluster=cluster,
        report=report,
    )
    chosen = [each for each in found if output is None or each.output == output]
    if not chosen:
        names = [each.output for each in found]
        fact = f"`{model}` has no output `{output}` with a target of its own"
        raise fail("bad-argument", fact, help=f"its outputs are {listed(names)}" if any(names) else "omit `output`")
    return chosen[0]


@public()
def evaluate_all(
    models: StrPath | Sequence[StrPath],
    data: StrPath | None = None,
    *,
    protocols: Sequence[str] = (),
    ensemble: bool = False,
    weights: Sequence[float] | None = None,
    save_predictions: StrPath | None = None,
    out: StrPath | None = None,
    overwrite: bool = False,
    explain: str | None = None,
    split: str = "validation",
    validation_split: float | None = None,
    seed: Seed = 0,
    classes: StrPath | None = None,
    present_classes: bool = False,
    recompute_bn: StrPath | None = None,
    threshold: float | None = None,
    batch_size: PositiveInt = 128,
    devices: Devices = None,
    skip_bad_images: bool = False,
    cluster: Cluster | None = None,
    report: Callable[[str], None] | None = None,
) -> Evaluations:
    """Evaluate several models with several protocols, and ensembles of them, as `archspec evaluate` does.

    Classes are matched by their names, and the data may lack some. An evaluation that was interrupted continues where
    it stopped when it is started again.

    Args:
        models: model files, run directories and saved predictions (`.npz`), each with or without a protocol: `runs/a`,
            `runs/a:ten-crop`.
        data: a data source of labelled images, one of `data_sources()`; saved predictions need none.
        protocols: for the models without a protocol: `ten-crop`, `multi-scale: [256, 384]`, ...; `spec` stands for all
            protocols of each model's spec. By default the first of the model's spec, or `center`.
        ensemble: average the softmax outputs of the models, once for each protocol; for a single model, average its
            protocols.
        weights: weights of the ensemble members, positive; by default all are equal.
        save_predictions: a file for the softmax outputs, which can be used as a model later.
        out: a new or empty folder for tables, plots and evaluation.json (see `Evaluations.write`), and for two contact
            sheets of each network of images: mistakes.png, its most confident mistakes, and confused-classes.png, the
            least sure images of the classes that it confuses most.
        overwrite: replace an earlier `out` and `save_predictions`.
        explain: a method of `explain_methods()` with the option `classes`, such as "gradcam": it draws a map of the
            predicted and of the true class beside each image on the contact sheets.
        split: the images to evaluate on: "train" or "validation" as in training, or any part of the data, such as
            "test".
        validation_split: share of the images that was held out in training, to select the same images.
        seed: seed of that split, as in training.
        classes: a file with the names of the models' classes, in the order of their outputs, as for `predict`; the
            data may then have any of these classes, by name or synset.
        present_classes: restrict the predictions to the classes that have images.
        recompute_bn: a data source: batch normalization uses the statistics of its training images, in batches of
            `batch_size`, instead of the moving averages of training (Ioffe & Szegedy 2015, Algorithm 2). The model
            files do not change.
        threshold: the least probability that a sigmoid output decides for, above 0 and below 1; by default that of the
            model (`evaluate.threshold` of its spec), 0.5.
        batch_size: views in a step, over all devices.
        devices: the devices to evaluate on: None, a number, "all" or "cpu:N".
        skip_bad_images: leave out files that cannot be decoded.
        cluster: the workers that share the images, as `find_cluster` returns them. Worker 0 writes.
        report: called with lines of progress and warnings.

    Returns:
        One evaluation for each model and protocol, in that order; those of the ensembles follow. A network with
        several targets has one for each of its outputs.

    Raises:
        ArchspecError: `model-not-found`, `not-a-model`, `model-unsafe`, `no-classifier`, `classes-mismatch`,
            `ensemble`, `bad-predictions`, `output-exists`, `cannot-write`, `no-batch-norm`; with `explain` also
            `unknown-method`, `method-not-applicable` and the errors of `archspec.explain`; with several workers
            `hosts`, `hosts-differ`, `worker-lost`; the errors of the data and of the protocols.
    """
    from archspec.lang.spec.overrides import parse_protocols
    from archspec.runtime.evaluation.batch_evaluate import evaluate_all
    from archspec.runtime.evaluation.mistake_pictures import map_method
    from archspec.runtime.evaluation.options import EvaluationOptions
    from archspec.runtime.evaluation.outputs import EvaluationOutputs

    if not models:
        raise fail("bad-argument", "`models` is empty", help="give at least one model")
    if explain is not None and out is None:
        raise fail("bad-argument", "`explain` draws into `out`, which is not given", help="give `out`")
    method = None if explain is None else map_method(explain)
    check_threshold(threshold)
    chosen = parse_protocols(protocols)
    outputs = EvaluationOutputs(
        None if out is None else Path(out),
        None if save_predictions is None else Path(save_predictions),
        overwrite=overwrite,
    )
    options = EvaluationOptions(
        as_path(data),
        reporter(report),
        split=split,
        validation_split=validation_split,
        seed=seed,
        classes=as_path(classes),
        present_classes=present_classes,
        recompute_bn=as_path(recompute_bn),
        skip_bad_images=skip_bad_images,
        batch_size=batch_size,
        devices=devices,
        cluster=cluster,
        threshold=threshold,
    )
    return Evaluations(
        evaluate_all(
            as_paths(models),
            options,
            protocols=chosen,
            ensemble=ensemble,
            weights=weights,
            outputs=outputs,
            method=method,
        )
    )


def check_threshold(threshold: float | None) -> None:
    """Raises `bad-argument` for a threshold that is not a probability."""
    if threshold is not None and not 0 < threshold < 1:
        fact = f"the threshold is a probability above 0 and below 1, but is {threshold:g}"
        raise fail("bad-argument", fact, help="for example `--threshold 0.3`")


def evaluation_protocols() -> list[str]:
    """The names of the evaluation protocols, those of plugins included."""
    return list(PROTOCOLS.with_plugins())


@public(images="`archspec.explain` and the Keras model itself take arrays")
def predict(
    model: StrPath,
    images: StrPath | Sequence[StrPath] = (),
    *,
    data: StrPath | None = None,
    split: str | None = None,
    classes: StrPath | None = None,
    top: PositiveInt = 5,
    threshold: float | None = None,
    report: Callable[[str], None] | None = None,
) -> list[Prediction]:
    """Predict the classes of images, which are resized, cropped and preprocessed as in evaluation.

    Args:
        model: a `.keras` file or a run directory.
        images: files, folders, and patterns such as `photos/*.png`; of a folder, all images in it at any depth. A file
            that cannot be read gets an `error` in its prediction.
        data: a data source, one of `data_sources()`.
        split: the part of `data` to predict: "test", "validation"; by default all parts.
        classes: a file that names the classes in the order of the outputs: one name per line, ImageNet's list of
            synsets, or JSON such as Keras's imagenet_class_index.json. By default those of the model.
        top: how many classes to return for each image, the most probable first.
        threshold: the least probability that a sigmoid output decides for, above 0 and below 1; by default that of the
            model.
        report: called with lines of progress and warnings.

    Raises:
        ArchspecError: `model-not-found`, `not-a-model`, `model-unsafe`, `no-classifier`, `data-shape`, `class-list`,
            `data-not-found`, `data-empty`; the errors of the data source.
    """
    from archspec.runtime.predict import predict

    check_threshold(threshold)
    return predict(
        as_path(model),
        as_paths(images),
        data=as_path(data),
        split=split,
        classes=as_path(classes),
        top=top,
        threshold=threshold,
        report=reporter(report),
    )


@public()
def predictions_text(predictions: Sequence[Prediction], format: PredictionFormat = "text") -> str:
    """Render predictions as `archspec predict` does: as text with one line per readable image, as JSON or as CSV."""
    from archspec.runtime.predict import predictions_text

    return predictions_text(predictions, format)
