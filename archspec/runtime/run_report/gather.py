"""Gathers what a report shows: the run directory, its evaluation, and the images that need a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archspec.comparison.runs import RunRecord, file_text, flat, read_run, shown
from archspec.diagnostics import ArchspecError, fail, listed, printable
from archspec.drawings.drawing import Drawing
from archspec.format import count, duration, throughput
from archspec.graph.ir import Graph
from archspec.lang.declarations import declared_text
from archspec.lang.recipes.recipe import EvaluationRecipe
from archspec.protocols import Protocol
from archspec.runtime.data.images import Images, Report
from archspec.runtime.evaluation.batch_evaluate import evaluate_all
from archspec.runtime.evaluation.options import EvaluationOptions
from archspec.runtime.evaluation.predictions import Predictions, image_names, load_predictions
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.models.model_file import read_metadata
from archspec.runtime.run_report.commands import commands_of
from archspec.runtime.run_report.content import ReportContent
from archspec.runtime.run_report.data_summary import RunData, data_summary, open_run_data, trained_targets
from archspec.runtime.run_report.hard_images import HardImages, hard_images
from archspec.runtime.run_report.recipe_words import output_losses, recipe_words
from archspec.runtime.runs.run_directory import SPEC
from archspec.runtime.runs.train_config import TrainConfig, read_settings
from archspec.runtime.training.records.progress import metric_name, metric_text
from archspec.runtime.training.records.recipe_summary import loss_labels
from archspec.transforms import Transform


@dataclass(frozen=True)
class ReportOptions:
    """What to evaluate for a report.

    Attributes:
        data: where the data is now, or other data to evaluate on; None for the run's own.
        split: the part of it, as for `evaluate`; None for the validation images of the run.
        protocols: as for `evaluate_all`.
        predictions: saved predictions, which are shown instead of an evaluation.
        batch_size: views in a step.
        report: called with lines of progress.
    """

    data: str | None
    split: str | None
    protocols: Sequence[Protocol] | None
    predictions: Sequence[str]
    batch_size: int
    report: Report

    @property
    def words(self) -> tuple[str, ...]:
        """The options of `archspec report` that choose the same."""
        found = ["--data", self.data] if self.data is not None else []
        found += ["--split", self.split] if self.split is not None else []
        names = ["spec"] if self.protocols is None else map(declared_text, self.protocols)
        found += [word for name in names for word in ("--protocol", name)]
        return (*found, *(word for path in self.predictions for word in ("--predictions", path)))


@dataclass(frozen=True)
class ReportedNetwork:
    """The network of the run, from its spec."""

    name: str
    graph: Graph
    protocol: EvaluationRecipe
    preprocess: tuple[Transform, ...]
    drawing: Drawing | None
    summary: str
    notes: tuple[str, ...] = ()


def check_run(directory: Path) -> None:
    """Check that a folder is a run directory. Raises ArchspecError: `not-a-run`."""
    read_settings(directory)


def gather(directory: Path, network: ReportedNetwork, options: ReportOptions) -> ReportContent:
    """The content of the report of a run.

    Raises:
        ArchspecError: `not-a-run`, `bad-run`; `bad-predictions` and `classes-mismatch` for saved predictions; the
            errors of `evaluate_all`, and of data that is given.
    """
    record, config = read_settings(directory)
    run = read_run(directory)
    saved = [load_predictions(path) for path in options.predictions]
    for path, each in zip(options.predictions, saved, strict=True):
        _check_classes(path, each, record)
    channels = int(network.graph.input_shape[-1] or 3)
    evaluated = _RunEvaluator(directory, record, config, options, channels).evaluate(saved)
    summary, notes = data_summary(
        config, record, evaluated.data, network.graph.input_shape, network.protocol, network.preprocess
    )
    hard = HardImages((), ())
    targets = trained_targets(record)
    if evaluated.evaluations:
        first = evaluated.evaluations[0]
        if first.has_confusion and not first.output:
            hard = hard_images(first.predictions, evaluated.images, directory, first.data, options.report)
        else:
            hard = HardImages(
                (), (), ("Mistakes are shown for networks with one output that gives an image one class.",)
            )
    return ReportContent(
        directory,
        network.name,
        record,
        _facts(network, record, run, evaluated.evaluations),
        recipe_words(config, record["images"]["training"] if "images" in record else summary.parts[0].images, targets),
        {name: shown(value) for name, value in flat(record["recipe"]).items()},
        run.history,
        loss_labels(config.recipe, [each.name for each in output_losses(config.recipe, targets)]),
        summary,
        _environment(record),
        commands_of(directory, record, replace(config, data=evaluated.data.place), evaluated.arguments, options.words),
        file_text(directory / SPEC),
        network.drawing,
        network.summary,
        evaluated.evaluations,
        evaluated.sentence,
        hard.mistakes,
        hard.pairs,
        (*_state(record), *evaluated.notes, *notes, *hard.notes, *network.notes),
    )


@dataclass(frozen=True)
class _EvaluatedRun:
    """The evaluations of a report, and the images of the first one in their order."""

    data: RunData
    evaluations: tuple[Evaluation, ...]
    images: Images | None
    sentence: str
    arguments: tuple[str, ...]
    """Of `evaluate`, to repeat it."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _RunEvaluator:
    directory: Path
    record: Mapping[str, Any]
    config: TrainConfig
    options: ReportOptions
    channels: int

    def evaluate(self, saved: Sequence[Predictions]) -> _EvaluatedRun:
        """Saved predictions, or an evaluation of the best model."""
        data = self._run_data()
        own = data.place == self.options.data or self.options.data is None
        split, place = self.options.split, data.place if own else str(self.options.data)
        held_out = own and self.config.validation_split is not None and split is None
        evaluation = EvaluationOptions(
            place,
            self.options.report,
            split=split or "validation",
            validation_split=self.config.validation_split if held_out else None,
            seed=self.config.seed,
            skip_bad_images=self.config.skip_bad_images,
            batch_size=self.options.batch_size,
        )
        images = data.validation if own and split is None else None
        notes = list(data.notes)
        if not own or split is not None:
            images = evaluation.open_images(self.channels, trained_targets(self.record))
        own_arguments = replace(self.config, data=place).data_arguments
        arguments = own_arguments if own and split is None else ("--data", place)
        arguments = (*arguments, *(("--split", split) if split else ()))
        if saved:
            predictions, files = saved[0], listed(map(printable, self.options.predictions))
            sentence = f"Saved predictions of {files}: {predictions.models[0]} on {predictions.data}."
            matching = images if images is not None and image_names(images) == predictions.images else None
            if images is not None and matching is None:
                notes.append("The predictions are of other images than the data has, so they have no pictures.")
            return _EvaluatedRun(data, tuple(map(Evaluation, saved)), matching, sentence, arguments, tuple(notes))
        if images is None:
            return _EvaluatedRun(data, (), None, "", arguments, (*notes, "The network was not evaluated."))
        try:
            read_metadata(self.directory)
        except ArchspecError as error:
            notes.append(f"The network was not evaluated: {error.diagnostics[0].message}.")
            return _EvaluatedRun(data, (), None, "", arguments, tuple(notes))
        found = evaluate_all([self.directory], evaluation, protocols=self.options.protocols)
        first = found[0]
        images = evaluation.match(images, first.class_names, len(first.class_names))
        part = "validation images of the run" if own and split is None else f"images of the part `{split}`"
        if not own and split is None:
            part = "images"
        sentence = f"{first.model} on {first.images:,} {part}: {printable(place)}."
        chosen = tuple(word for each in dict.fromkeys(each.protocol for each in found) for word in ("--protocol", each))
        return _EvaluatedRun(data, found, images, sentence, (*arguments, *chosen), tuple(notes))

    def _run_data(self) -> RunData:
        """The data of the run, at its place or where `--data` says, if the validation images there are the same."""
        given = self.options.data
        if given is not None and given != self.config.data and self.options.split is None:
            moved = open_run_data(self.config, self.record, self.channels, given, self.options.report)
            if moved.same_validation:
                return moved
        return open_run_data(self.config, self.record, self.channels, None, self.options.report)


def _check_classes(path: str, predictions: Predictions, record: Mapping[str, Any]) -> None:
    names = {each.name: each.class_names for each in trained_targets(record) or ()} if predictions.output else {}
    if tuple(predictions.class_names) != tuple(names.get(predictions.output, record["class_names"])):
        raise fail(
            "classes-mismatch",
            f"`{printable(path)}` has predictions of other classes than the run",
            help="save the predictions of this run: `archspec evaluate RUN --save-predictions FILE.npz`",
        )


def _facts(
    network: ReportedNetwork, record: Mapping[str, Any], run: RunRecord, evaluations: Sequence[Evaluation]
) -> dict[str, str]:
    """The figures at the top."""
    facts = {}
    if evaluations:
        first = evaluations[0]
        if first.kind == "classes" and not first.output:
            facts["top-1 error"] = str(first.top1_error)
            if first.top5_error is not None:
                facts["top-5 error"] = str(first.top5_error)
        else:
            for each in evaluations:
                if each.protocol == first.protocol:
                    facts[f"{each.output} {each.metrics[0].heading}".strip()] = str(each.metrics[0])
    best = run.best
    if best is not None:
        for score in run.scores:
            value = f"{metric_text(score, best[score])} in epoch {best['epoch']:g}"
            facts[f"best validation {metric_name(score.removeprefix('val_'))}"] = value
    graph = network.graph
    facts["parameters"] = count(graph.params)
    facts["MACs"] = "?" if graph.macs is None else count(graph.macs)
    if run.history:
        facts["epochs"] = f"{len(run.history)}"
    if run.seconds is not None:
        facts["wall time"] = duration(run.seconds)
    if run.images_per_second is not None:
        facts["training speed"] = f"{throughput(run.images_per_second)} images/s"
    return facts


def _environment(record: Mapping[str, Any]) -> dict[str, str]:
    processor, threads = record.get("processor") or {}, record.get("threads") or {}
    found = {"devices": str(record["devices"])}
    if processor.get("name"):
        found["processor"] = f"{processor['name']}{', oneDNN' if processor.get('onednn') else ''}"
    if threads.get("processors"):
        found["processors"] = str(threads["processors"])
    for name in ("intra_op", "inter_op"):
        if threads.get(name):
            found[f"{name} threads"] = str(threads[name])
    found |= {name: str(version) for name, version in record["versions"].items()}
    return found | {"started": _time(record.get("started")), "finished": _time(record["finished"]) or "not yet"}


def _time(text: object) -> str:
    """`2026-11-28 18:48` from a time of run.json, and what follows the minutes behind it."""
    return str(text or "").replace("T", " ").replace("+0000", " UTC")


def _state(record: Mapping[str, Any]) -> list[str]:
    """A note on a run that did not end by itself."""
    if "errors" in record:
        return [f"The run ended with an error: {listed(record['errors'])}"]
    if record["interrupted"]:
        return ["The run was interrupted, and can be resumed."]
    return [] if record["finished"] else ["The run has not finished, or its process was killed."]
