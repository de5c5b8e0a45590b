"""Several models under several protocols, and ensembles of them, over one set of images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from archspec.diagnostics import fail, listed, render
from archspec.lang.schema.protocol_text import protocol_text
from archspec.protocols import Protocol
from archspec.runtime.data.classes import match_classes
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices
from archspec.runtime.distributed.worker_errors import worker_lost_errors
from archspec.runtime.evaluation.evaluate import Evaluation
from archspec.runtime.evaluation.leakage import seen_in_training
from archspec.runtime.evaluation.multi_worker import Together
from archspec.runtime.evaluation.protocols.ensemble import averages, check_members
from archspec.runtime.evaluation.protocols.journal import forget
from archspec.runtime.evaluation.protocols.predictions import (
    Predictions,
    check_predictions_path,
    image_names,
    load_predictions,
    save_all,
)
from archspec.runtime.evaluation.protocols.predictor import Classifier
from archspec.runtime.evaluation.protocols.runner import Course
from archspec.runtime.evaluation.targets import Member, protocols_of, small_views


def evaluate_all(
    models: Sequence[str | Path | Member],
    data: str | None = None,
    *,
    protocols: Sequence[Protocol] | None = (),
    ensemble: bool = False,
    weights: Sequence[float] | None = None,
    save: str | Path | None = None,
    split: Literal["train", "validation"] = "validation",
    validation_split: float | None = None,
    seed: int = 0,
    batch_size: int = 128,
    devices: Devices = None,
    skip_bad_images: bool = False,
    cluster: Cluster | None = None,
    report: Report | None = None,
) -> tuple[Evaluation, ...]:
    """Every model under every protocol, in that order; then, with `ensemble`, the averages of their softmax outputs.

    Args:
        models: `MODEL` or `MODEL:PROTOCOL`; an .npz holds predictions that were saved.
        protocols: for the models without one of their own; () is the first of each page's, or `center`; None all of
            each page's.
        ensemble: average the models, once for each protocol; of a single model, average the protocols.
        weights: of the members of the ensemble, positive; by default all alike.
        save: a file for the predictions: of the ensemble, or else of every row; NAME-1.npz, NAME-2.npz where there
            are several.
        cluster: of `find_cluster`: the processes that share the images, and have all of them at hand. The first writes.

    Raises:
        ArchspecError: those of `evaluate`, `ensemble` where members do not fit together, `bad-predictions`, `hosts`,
            `hosts-differ`, `worker-lost`.
    """
    with worker_lost_errors(cluster, "; what is done is kept"):
        members = [each if isinstance(each, Member) else Member.parse(each) for each in models]
        if report and data is not None and split == "validation":
            notes = (seen_in_training(each.path, data, validation_split, seed) for each in members)
            for note in dict.fromkeys(note for note in notes if note):
                report(note)
        return _evaluate_all(
            members,
            data,
            protocols=protocols,
            ensemble=ensemble,
            weights=weights,
            save=save if not cluster or cluster.is_chief else None,
            open_images=functools.partial(
                open_data,
                str(data),
                split,
                validation_split=validation_split,
                seed=seed,
                skip_bad_images=skip_bad_images,
                report=report,
            ),
            batch_size=batch_size,
            devices=devices,
            cluster=cluster,
            tell=report or (lambda line: None),
        )


def _evaluate_all(
    members: Sequence[Member],
    data: str | None,
    *,
    protocols: Sequence[Protocol] | None,
    ensemble: bool,
    weights: Sequence[float] | None,
    save: str | Path | None,
    open_images: Callable[..., Images],
    batch_size: int,
    devices: Devices,
    cluster: Cluster | None,
    tell: Report,
) -> tuple[Evaluation, ...]:
    _check(members, data, protocols, weights, ensemble=ensemble)
    if save is not None:
        check_predictions_path(save)
    opened: dict[int, Images] = {}
    keys: list[Any] = []

    def images_of(channels: int) -> Images:
        if channels not in opened:
            opened[channels] = open_images(channels=channels)
        return opened[channels]

    found: list[list[Predictions]] = []
    together = None
    for member in members:
        if member.predicted:
            found.append([load_predictions(member.path)])
            continue
        together = together or Together.of(devices, cluster, tell)
        network = Classifier.open(member.path, together.strategy)
        images = images_of(int(network.input_shape[-1] or 0))
        images = match_classes(images, network.metadata.class_names, network.classes, str(data))
        rows = []
        chosen = protocols_of(member, network.metadata, network.input_shape, protocols)
        for warning in small_views(network.input_shape, network.metadata, chosen):
            tell(render(warning))
        for protocol in chosen:
            tell(f"{network.path}: {protocol_text(protocol)}")
            course = together.run(network, images, protocol, batch_size=batch_size, report=tell)
            keys.append(course.key)
            rows.append(_predictions(network, images, protocol, course, str(data)))
        found.append(rows)
    averaged = averages(found, weights) if ensemble else []
    rows = [row for of_member in found for row in of_member] + averaged
    if save is not None:
        kept = averaged or rows
        for file, row in zip(save_all(save, kept), kept, strict=True):
            tell(f"wrote {file}: {' + '.join(row.models)}, {' + '.join(row.protocols)}")
    if together is not None:
        together.collectives.barrier(need_chief=True)
    forget(*keys)
    return tuple(Evaluation(row) for row in rows)


def _check(
    members: Sequence[Member],
    data: str | None,
    protocols: Sequence[Protocol] | None,
    weights: Sequence[float] | None,
    *,
    ensemble: bool,
) -> None:
    """What can be known to be wrong before anything is computed."""
    networks = [member for member in members if not member.predicted]
    if networks and data is None:
        raise fail(
            "data-not-found", f"`{networks[0].path}` is a network, and no images are given", help="give `--data`"
        )
    for member in members:
        if member.predicted and member.protocol is not None:
            fact = f"`{member.path}` holds predictions, whose protocol is that which made them"
            raise fail("ensemble", fact, help=f"leave `:{member.protocol.name}` out")
    if weights is not None and not ensemble:
        raise fail("ensemble", "weights are those of an ensemble, and none is asked for", help="add `--ensemble`")
    if any(not 0 < weight < float("inf") for weight in weights or ()):
        fact = f"the weights of an ensemble are {listed(f'{weight:g}' for weight in weights or ())}"
        raise fail("ensemble", fact, help="give positive numbers")
    if ensemble and (len(members) > 1 or protocols is not None):
        check_members(len(members) if len(members) > 1 else len(protocols or ()), weights)


def _predictions(network: Classifier, images: Images, protocol: Protocol, course: Course, data: str) -> Predictions:
    return Predictions(
        posteriors=course.posteriors,
        labels=images.labels,
        class_names=images.class_names,
        images=image_names(images),
        models=(str(network.path),),
        protocols=(protocol_text(protocol),),
        scales=(course.scales,),
        data=data,
        passes=course.passes,
        images_per_second=course.images_per_second,
    )
