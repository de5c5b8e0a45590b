"""Several models under several protocols, and ensembles of them, over one set of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from archspec.diagnostics import ArchspecError, Source, fail, listed
from archspec.graph.parameters import parameters
from archspec.lang import settings
from archspec.lang.protocol import PROTOCOLS, Center, Protocol, protocol_section
from archspec.lang.protocol_text import protocol_text
from archspec.lang.spec import parse
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.source import open_data
from archspec.runtime.evaluate import Evaluation
from archspec.runtime.metadata import Metadata
from archspec.runtime.protocols.journal import forget
from archspec.runtime.protocols.network import Classifier
from archspec.runtime.protocols.predictions import (
    Predictions,
    average,
    check_predictions_path,
    image_names,
    load_predictions,
    save_predictions,
)
from archspec.runtime.protocols.run import run_protocol
from archspec.runtime.strategy import Devices, make_strategy


@dataclass(frozen=True)
class Member:
    """A model file, a run directory or saved predictions, and its own protocol if it has one."""

    path: Path
    protocol: Protocol | None = None

    @property
    def predicted(self) -> bool:
        """Whether these are predictions that were saved."""
        return self.path.suffix == ".npz"

    @classmethod
    def parse(cls, text: str | Path) -> Member:
        """`runs/a`, or `runs/a:ten-crop`; a path that exists as it is has no protocol."""
        path, colon, name = str(text).rpartition(":")
        if colon and name in PROTOCOLS and not Path(text).exists():
            return cls(Path(path), PROTOCOLS[name].make({}))
        return cls(Path(text))


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
    report: Report | None = None,
) -> tuple[Evaluation, ...]:
    """Every model under every protocol, in that order; then, with `ensemble`, the averages of their softmax outputs.

    Args:
        models: `MODEL` or `MODEL:PROTOCOL`; an .npz holds predictions that were saved.
        protocols: for the models without one of their own; () is the first of each page's, or `center`; None all of
            each page's.
        ensemble: average the models, once for each protocol; of a single model, average the protocols.
        weights: of the members of the ensemble, positive; by default all alike.
        save: a file for the predictions, of the last row.

    Raises:
        ArchspecError: those of `evaluate`, `ensemble` where members do not fit together, `bad-predictions`.
    """
    tell: Report = report or (lambda line: None)
    members = [each if isinstance(each, Member) else Member.parse(each) for each in models]
    _check(members, data, ensemble, weights)
    if save is not None:
        check_predictions_path(save)
    opened: dict[int, Images] = {}
    keys: list[Any] = []

    def images_of(channels: int) -> Images:
        assert data is not None  # _check has seen to it
        if channels not in opened:
            opened[channels] = open_data(
                data,
                split,
                validation_split=validation_split,
                seed=seed,
                skip_bad_images=skip_bad_images,
                channels=channels,
                report=report,
            )
        return opened[channels]

    found: list[list[Predictions]] = []
    strategy = None
    for member in members:
        if member.predicted:
            found.append([load_predictions(member.path)])
            continue
        strategy = strategy or make_strategy(devices)
        network = Classifier.open(member.path, strategy)
        images = images_of(int(network.input_shape[-1] or 0))
        images = in_the_order_of(images, network.metadata.class_names, network.classes, str(data))
        rows = []
        for protocol in _protocols_of(member, network.metadata, protocols):
            tell(f"{network.path}: {protocol_text(protocol)}")
            course = run_protocol(network, images, protocol, batch_size=batch_size, report=tell)
            keys.append(course.key)
            rows.append(_predictions(network, images, protocol, course, str(data)))
        found.append(rows)
    averaged = _averages(found, weights) if ensemble else []
    rows = [row for of_member in found for row in of_member] + averaged
    if save is not None:
        save_predictions(save, rows[-1])
    forget(*keys)
    return tuple(Evaluation(row) for row in rows)


def page_protocols(metadata: Metadata) -> tuple[Protocol, ...]:
    """What the page of a model file lists under `evaluate: {protocols: ...}`."""
    if metadata.page is None:
        return ()
    try:
        spec = parse(Source("archspec.json", metadata.page))
        section = settings.section(spec.document, "evaluate", {}, parameters(spec, None, {}))
    except ArchspecError:  # of another version of the language
        return ()
    return protocol_section(section).protocols  # type: ignore[return-value]


def in_the_order_of(images: Images, class_names: tuple[str, ...] | None, classes: int, source: str) -> Images:
    """The images with the labels of the network's classes, matched by name; a network without names takes them as is.

    Raises:
        ArchspecError: `classes-mismatch` when the two do not have the same classes.
    """
    if class_names is None:
        if len(images.class_names) != classes:
            fact = f"the network has {classes} classes, and `{source}` has {len(images.class_names)}"
            raise fail("classes-mismatch", fact, help="evaluate it on images of the classes that it was trained on")
        return images
    unknown = [name for name in images.class_names if name not in class_names]
    missing = [name for name in class_names if name not in images.class_names]
    if unknown or missing:
        notes = [f"the network does not know: {_some(unknown)}"] if unknown else []
        notes += [f"the data does not have: {_some(missing)}"] if missing else []
        fact = f"the classes of `{source}` are not those that the network was trained on"
        help = "name the folders of the data as in training, and keep an empty class out of both"
        raise fail("classes-mismatch", fact, notes=notes, help=help)
    place = np.array([class_names.index(name) for name in images.class_names], np.int32)
    return dataclasses.replace(images, class_names=class_names, labels=place[images.labels])


def _check(members: Sequence[Member], data: str | None, ensemble: bool, weights: Sequence[float] | None) -> None:
    networks = [member for member in members if not member.predicted]
    if networks and data is None:
        raise fail(
            "data-not-found", f"`{networks[0].path}` is a network, and no images are given", help="give `--data`"
        )
    for member in members:
        if member.predicted and member.protocol is not None:
            fact = f"`{member.path}` holds predictions, whose protocol is that which made them"
            raise fail("ensemble", fact, help=f"leave `:{member.protocol.name}` out")
    if weights is None:
        return
    if not ensemble:
        raise fail("ensemble", "weights are those of an ensemble, and none is asked for", help="add `--ensemble`")
    if any(not 0 < weight < float("inf") for weight in weights):
        fact = f"the weights of an ensemble are {listed(f'{weight:g}' for weight in weights)}"
        raise fail("ensemble", fact, help="give positive numbers")


def _protocols_of(member: Member, metadata: Metadata, protocols: Sequence[Protocol] | None) -> Sequence[Protocol]:
    if member.protocol is not None:
        return (member.protocol,)
    if protocols:
        return protocols
    of_page = page_protocols(metadata) or (Center(),)
    return of_page if protocols is None else of_page[:1]


def _predictions(network: Classifier, images: Images, protocol: Protocol, course: Any, data: str) -> Predictions:
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


def _averages(found: Sequence[Sequence[Predictions]], weights: Sequence[float] | None) -> list[Predictions]:
    """One for each protocol, over the models; of one model, one over its protocols."""
    if len(found) == 1:
        groups = [list(found[0])]
    else:
        most = max(map(len, found))
        if any(len(rows) not in (1, most) for rows in found):
            counts = listed(f"{rows[0].models[0]} {len(rows)}" for rows in found)
            fact = f"the models have different numbers of protocols: {counts}"
            raise fail("ensemble", fact, help="name the protocols by `--protocol`, or one for each: `MODEL:PROTOCOL`")
        groups = [[rows[min(number, len(rows) - 1)] for rows in found] for number in range(most)]
    if len(groups[0]) < 2:
        raise fail("ensemble", "an ensemble has at least two members", help="give more models, or more protocols")
    if weights is not None and len(weights) != len(groups[0]):
        fact = f"there are {len(weights)} weights for {len(groups[0])} members"
        raise fail("ensemble", fact, help="give one for each member, in their order")
    return [average(group, weights) for group in groups]


def _some(names: list[str], shown: int = 10) -> str:
    return listed(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
