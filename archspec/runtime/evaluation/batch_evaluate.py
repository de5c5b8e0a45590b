"""Evaluate several models by several protocols, and ensembles of them, on one set of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import counted, fail, listed, render
from archspec.lang.declarations import declared_text
from archspec.protocols import Protocol
from archspec.runtime.data.files.fingerprint import fingerprint
from archspec.runtime.data.images import Images
from archspec.runtime.data.sources.source import find_source
from archspec.runtime.distributed.collectives import Collectives
from archspec.runtime.distributed.strategy import make_strategy
from archspec.runtime.distributed.worker_errors import check_workers, worker_lost_errors
from archspec.runtime.evaluation.ensemble import averages, check_members
from archspec.runtime.evaluation.inference.journal import forget
from archspec.runtime.evaluation.inference.predictor import Predictor
from archspec.runtime.evaluation.inference.runner import Posteriors, run_protocol
from archspec.runtime.evaluation.kinds import evaluation_of
from archspec.runtime.evaluation.mistake_pictures import MistakePictures, Sheets
from archspec.runtime.evaluation.options import (
    EvaluationOptions,
    GivenModel,
    protocols_of,
    seen_in_training,
    small_views,
)
from archspec.runtime.evaluation.outputs import NO_OUTPUTS, EvaluationOutputs
from archspec.runtime.evaluation.predictions import Predictions, image_digests, image_names, load_predictions
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.explain import ExplainMethod
from archspec.runtime.explain.open_network import OpenNetwork
from archspec.runtime.models.finite_weights import not_finite
from archspec.runtime.models.model_file import read_metadata
from archspec.runtime.system.tensorflow_import import import_tensorflow
from archspec.targets import OutputTargets, check_threshold


def evaluate_all(
    models: Sequence[str | Path],
    options: EvaluationOptions,
    *,
    protocols: Sequence[Protocol] | None = (),
    ensemble: bool = False,
    weights: Sequence[float] | None = None,
    outputs: EvaluationOutputs = NO_OUTPUTS,
    method: ExplainMethod | None = None,
) -> tuple[Evaluation, ...]:
    """Evaluate every model by every protocol, in that order; then, with `ensemble`, the averages of their outputs.

    Classes are matched by name. An evaluation that was interrupted continues where it stopped.

    Args:
        models: `MODEL` or `MODEL:PROTOCOL`; an .npz holds saved predictions.
        protocols: for models without a protocol: () is the first of each model's spec, or `center`; None
            all of its spec.
        ensemble: average the models, once for each protocol; of a single model, average its protocols.
        weights: weights of the ensemble members, positive; by default all are equal.
        outputs: the files to write.
        method: explains the images on the contact sheets, which are written into the folder of reports.

    Raises:
        ArchspecError: those of `load_model`, `open_data` and `run_protocol`; `classes-mismatch`, `no-classifier`,
            `ensemble`, `bad-predictions`, `output-exists`, `cannot-write`; why the method does not apply to a network;
            with several workers `hosts`, `hosts-differ`, `worker-lost`.
    """
    targets = [GivenModel.parse(each) for each in models]
    _check(targets, options.data, protocols, weights, ensemble=ensemble)
    options.check_files()
    if options.cluster and not options.cluster.is_chief:
        outputs = NO_OUTPUTS
    outputs.check()
    for note in filter(None, dict.fromkeys(seen_in_training(each.path, options) for each in targets)):
        options.report(note)
    with worker_lost_errors(options.cluster, "; finished batches are kept"):
        pictures = None if outputs.directory is None else MistakePictures(method, options.report)
        evaluator = _Evaluator(options, pictures, ensemble)
        found = [evaluator.predictions(each, protocols) for each in targets]
        averaged = averages(found, weights) if ensemble else []
        rows = [row for of_target in found for row in of_target] + averaged
        evaluations = tuple(map(evaluation_of, rows))
        sheets = [*evaluator.sheets, *map(evaluator.sheets_of_ensemble, averaged)]
        outputs.write(evaluations, averaged or rows, options.report, sheets)
        evaluator.finish()
    return evaluations


def _check(
    targets: Sequence[GivenModel],
    data: str | None,
    protocols: Sequence[Protocol] | None,
    weights: Sequence[float] | None,
    *,
    ensemble: bool,
) -> None:
    """Check the arguments before anything is computed."""
    for target in targets:
        if not target.is_predictions and data is None:
            raise fail(
                "data-not-found",
                f"the network `{target.path}` needs images, but no data is given",
                help="give `--data`",
            )
        if not target.is_predictions and data is not None:
            read_metadata(target.path)
            find_source(data)
        if target.is_predictions and target.protocol is not None:
            raise fail(
                "ensemble",
                f"`{target.path}` contains saved predictions; their protocol cannot be changed",
                help=f"leave `:{target.protocol.name}` out",
            )
    if weights is not None and not ensemble:
        raise fail("ensemble", "`--weights` has an effect only with `--ensemble`", help="add `--ensemble`")
    if any(not 0 < weight < float("inf") for weight in weights or ()):
        raise fail(
            "ensemble",
            f"the weights of the ensemble are {listed(f'{weight:g}' for weight in weights or ())}",
            help="give positive numbers",
        )
    if ensemble and (len(targets) > 1 or protocols is not None):
        check_members(len(targets) if len(targets) > 1 else len(protocols or ()), weights)


def of_outputs(predictions: Predictions, images: Images) -> list[Predictions]:
    """The predictions of each output of a network; of one softmax output, the predictions themselves."""
    targets, y = images.targets, images.y
    if targets is None or y is None:
        return [predictions]
    found, unit, column = [], 0, 0
    for target, width in zip(targets, targets.widths, strict=True):
        outputs = predictions.posteriors[:, unit : unit + target.units]
        posteriors, labels = target.kind.compared(outputs, y[:, column : column + width])
        found.append(
            replace(
                predictions,
                posteriors=posteriors,
                labels=labels,
                class_names=target.class_names,
                kind=target.kind.name,
                output=target.name if len(targets) > 1 else "",
            )
        )
        unit, column = unit + target.units, column + width
    return found


ONE_CLASS = ("classes", "binary")
"""Targets that are one class for each image, so that there are mistakes to draw."""


def _names_of_one_class(images: Images) -> tuple[str, ...] | None:
    """The names of the classes of a network's main output; None where an image does not have one class."""
    if images.targets is None:
        return images.class_names
    main = images.targets.each[0]
    return main.class_names if main.kind.name in ONE_CLASS else None


@dataclass
class _Evaluator:
    """The workers and the images, which are opened when the first network needs them."""

    options: EvaluationOptions
    pictures: MistakePictures | None
    """None where no folder of reports is written."""
    ensemble: bool
    sheets: list[Sheets] = field(default_factory=list)
    """Of the predictions of all targets so far."""
    first: tuple[OpenNetwork, Images] | None = None
    """For the pictures of ensembles, which have the images and the order of the first target."""
    images: dict[tuple[int, OutputTargets | None], Images] = field(default_factory=dict)
    """By number of channels, and by the targets that are not one class for each image."""
    journal_keys: list[Any] = field(default_factory=list)

    @cached_property
    def workers(self) -> WorkerGroup:
        return WorkerGroup.connect(self.options)

    def predictions(self, target: GivenModel, protocols: Sequence[Protocol] | None) -> list[Predictions]:
        """The predictions of a target under each of its protocols."""
        if target.is_predictions:
            self.sheets.append(self._no_sheets(f"{target.path} contains no images, so"))
            return [load_predictions(target.path)]
        report, data = self.options.report, str(self.options.data)
        network = Predictor.open(target.path, self.workers.strategy)
        check_threshold(self.options.threshold, network.targets)
        if line := not_finite(network.model, network.path):
            report(line)
        channels = int(network.input_shape[-1] or 0)
        if self.options.recompute_bn is not None:
            training = self.options.training_images(channels, network.targets)
            report(f"{network.path}: batch normalization by the statistics of {len(training):,} training images")
            network = network.with_statistics_of(training, self.options.recompute_bn, self.options.batch_size)
        key = channels, None if network.targets.is_plain else network.targets
        if key not in self.images:
            self.images[key] = self.options.open_images(channels, network.targets)
        images = self.options.match(self.images[key], network.metadata.class_names, network.classes)
        chosen = protocols_of(target, network.metadata, network.input_shape, protocols)
        for warning in small_views(network.input_shape, network.metadata, chosen):
            report(render(warning))
        names = _names_of_one_class(images)
        if names is None:
            self._no_sheets(f"{network.path} does not predict one class for each image, so")
        opened = None if self.pictures is None or names is None else self.pictures.open(network, names)
        if opened is not None and self.ensemble and not self.sheets:
            self.first = opened, images
        digests, found = image_digests(images), []
        for protocol in chosen:
            text = declared_text(protocol)
            report(f"{network.path}: {text}")
            result = self.workers.run(network, images, protocol)
            self.journal_keys.append(result.journal_key)
            predictions = Predictions(
                posteriors=result.posteriors,
                labels=images.labels,
                class_names=images.class_names,
                threshold=self.options.threshold or network.metadata.threshold,
                images=image_names(images),
                digests=digests,
                models=(str(network.path),),
                protocols=(text,),
                scales=(result.scales,),
                data=data,
                passes=result.passes,
                images_per_second=result.images_per_second,
            )
            for number, each in enumerate(of_outputs(predictions, images)):
                found.append(each.of_present_classes() if self.options.present_classes else each)
                if self.pictures is None or opened is None or number:  # only the main output is explained
                    self.sheets.append({})
                else:
                    self.sheets.append(self.pictures.sheets(found[-1], opened, images, self.pictures.method))
        return found

    def sheets_of_ensemble(self, average: Predictions) -> Sheets:
        """The images alone: a method explains one network."""
        if average.kind not in ONE_CLASS or average.output:
            return {}
        if self.pictures is None or self.first is None:
            return self._no_sheets("the first member of the ensemble contains no images, so")
        if self.pictures.method is not None:
            name = self.pictures.method.name
            self.options.report(f"`{name}` explains one network: the images of the ensemble are shown without maps")
        return self.pictures.sheets(average, *self.first, None)

    def _no_sheets(self, reason: str) -> Sheets:
        if self.pictures is not None and self.pictures.method is not None:
            self.options.report(f"{reason} its mistakes are not drawn")
        return {}

    def finish(self) -> None:
        """Wait for the other workers, and remove the journals."""
        if "workers" in vars(self):
            self.workers.collectives.barrier(need_chief=True)
        forget(*self.journal_keys)


@dataclass(frozen=True)
class WorkerGroup:
    """The devices of this worker, and its connection to the other workers if there are any."""

    options: EvaluationOptions
    strategy: Any
    collectives: Collectives

    @classmethod
    def connect(cls, options: EvaluationOptions) -> WorkerGroup:
        """Wait for all workers. Raises ArchspecError as `make_strategy`."""
        cluster = options.cluster
        if cluster is None:
            return cls(options, make_strategy(options.devices), Collectives(None, None))
        strategy, tf = make_strategy(options.devices, cluster, options.report), import_tensorflow()
        devices = strategy.extended.worker_devices
        # steps on the devices of this worker do not involve other workers
        local = tf.distribute.get_strategy() if len(devices) == 1 else tf.distribute.MirroredStrategy(devices)
        return cls(options, local, Collectives(strategy, cluster))

    def run(self, network: Predictor, images: Images, protocol: Protocol) -> Posteriors:
        """`run_protocol` over all images, each scored by one worker; every worker returns the same posteriors.

        Raises:
            ArchspecError: those of `run_protocol`, and `hosts-differ`.
        """
        cluster, report = self.options.cluster, self.options.report
        run = partial(run_protocol, network, protocol=protocol, batch_size=self.options.batch_size, report=report)
        if cluster is None:
            return run(images)
        self.collectives.check_equal("network and protocol", (network.checksum, protocol))
        self.collectives.check_equal("images", fingerprint(images))
        rows = np.arange(cluster.index, len(images), len(cluster.workers))
        own = run(images.only(rows), after_batch=partial(check_workers, cluster))
        report(
            f"{cluster.name(cluster.index)}: finished its {counted(len(rows), 'image')}; waiting for the other workers"
        )
        posteriors = np.zeros((len(images), own.posteriors.shape[1]), np.float32)
        posteriors[rows] = own.posteriors
        speed = float(self.collectives.all_reduce(np.array([own.images_per_second or 0], np.float32))[0])
        return replace(own, posteriors=self.collectives.all_reduce(posteriors), images_per_second=speed or None)
