"""Ensembles: averages of the softmax outputs of several models, or of several protocols of one model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import counted, fail, listed, printable
from archspec.runtime.evaluation.predictions import Predictions


def averages(found: Sequence[Sequence[Predictions]], weights: Sequence[float] | None) -> list[Predictions]:
    """The ensemble of the models for each protocol; of a single model, the ensemble of its protocols.

    Args:
        found: the predictions of each model under each of its protocols. A model with one protocol joins the ensembles
            of all protocols of the others.
        weights: one for each member.

    Raises:
        ArchspecError: `ensemble`.
    """
    if len(found) == 1:
        groups = [list(found[0])]
    else:
        most = max(map(len, found))
        if any(len(rows) not in (1, most) for rows in found):
            counts = listed(f"{rows[0].models[0]} {len(rows)}" for rows in found)
            raise fail(
                "ensemble",
                f"the models have different numbers of protocols: {counts}",
                help="give the protocols by `--protocol`, or one for each `MODEL:PROTOCOL`",
            )
        groups = [[rows[min(number, len(rows) - 1)] for rows in found] for number in range(most)]
    check_members(len(groups[0]), weights)
    return [average(group, weights) for group in groups]


def check_members(count: int, weights: Sequence[float] | None) -> None:
    """Raises ArchspecError: `ensemble` for fewer than two members, and for another number of weights."""
    if count < 2:
        raise fail("ensemble", "an ensemble has at least two members", help="give more models, or more protocols")
    if weights is not None and len(weights) != count:
        raise fail(
            "ensemble",
            f"the ensemble has {counted(len(weights), 'weight')} for {counted(count, 'member')}",
            help="give one weight for each member, in their order",
        )


def average(members: Sequence[Predictions], weights: Sequence[float] | None = None) -> Predictions:
    """The weighted mean of the softmax outputs, with the classes and images in the order of the first member.

    Args:
        weights: one for each member, positive; by default all are equal.

    Raises:
        ArchspecError: `ensemble` where the members have different images or classes.
    """
    first = members[0]
    other = next((each for each in members if (each.kind, each.output) != (first.kind, first.output)), None)
    if other is not None:
        fact = f"`{first.models[0]}` and `{other.models[0]}` have different targets: {first.kind} and {other.kind}"
        raise fail("ensemble", fact, help="average networks with the same outputs")
    shares = np.ones(len(members)) if weights is None else np.asarray(weights, float)
    total = np.zeros(first.posteriors.shape)
    for member, share in zip(members, shares / shares.sum(), strict=True):
        total += share * aligned(member, first).posteriors
    speeds = [each.images_per_second for each in members]
    return replace(
        first,
        posteriors=total.astype(np.float32),
        models=tuple(model for each in members for model in each.models),
        protocols=tuple(protocol for each in members for protocol in each.protocols),
        scales=tuple(scale for each in members for scale in each.scales),
        passes=sum(each.passes for each in members),
        images_per_second=None if None in speeds else 1 / sum(1 / speed for speed in speeds if speed),
    )


def aligned(predictions: Predictions, first: Predictions) -> Predictions:
    """The predictions with rows and columns in the order of `first`.

    Images are matched by the digests of their contents, classes by their names.

    Raises:
        ArchspecError: `ensemble` where images, classes or labels differ.
    """
    found = predictions
    images, wanted = _identities(predictions, first), _identities(first, predictions)
    if predictions.class_names != first.class_names or images != wanted:
        rows = _positions(predictions, first, images, wanted, "images")
        columns = _positions(predictions, first, predictions.class_names, first.class_names, "classes")
        found = replace(
            predictions,
            posteriors=predictions.posteriors[rows][:, columns],
            labels=_reordered(predictions.labels[rows], columns),
            class_names=first.class_names,
            images=first.images,
            digests=first.digests,
        )
    differ = found.labels != first.labels
    different = np.flatnonzero(differ if differ.ndim == 1 else differ.any(axis=1))
    if len(different):
        image = different[0]
        names = [_label_text(each, int(image)) for each in (first, found)]
        pair = f"`{first.models[0]}` and `{predictions.models[0]}`"
        raise fail(
            "ensemble",
            f"{pair} were evaluated with different classes of {counted(len(different), 'image')}",
            notes=[f"`{first.images[image]}` is {names[0]} for the first, {names[1]} for the second"],
        )
    return found


def _reordered(labels: npt.NDArray[Any], columns: Sequence[int]) -> npt.NDArray[Any]:
    """The labels of some rows, with the classes in the order of `columns`."""
    return labels[:, columns] if labels.ndim == 2 else np.argsort(columns)[labels].astype(np.int32)


def _label_text(one: Predictions, row: int) -> str:
    """The class, the labels or the numbers of an image."""
    label = one.labels[row]
    if one.kind == "numbers":
        return " ".join(f"{value:.6g}" for value in label)
    if one.kind == "multi-label":
        return ";".join(sorted(name for name, has in zip(one.class_names, label, strict=True) if has))
    name: str = one.class_names[int(label)]
    return name


def _identities(one: Predictions, other: Predictions) -> tuple[str, ...]:
    """What identifies each image among those of two members.

    Copies of one image are numbered in the order of their classes and names. Members without digests are matched by
    the folder and the name of each file.

    Raises:
        ArchspecError: `ensemble` where the images have row numbers only.
    """
    if one.digests is None or other.digests is None:
        if one.digests is None and one.images == tuple(map(str, range(len(one)))):
            raise fail(
                "ensemble",
                f"the predictions of `{one.models[0]}` do not identify their images",
                help="they were saved by an earlier version of archspec; evaluate the model again",
            )
        return tuple("/".join(Path(name).parts[-2:]) for name in one.images)
    names = [(_label_text(one, row), image) for row, image in enumerate(one.images)]
    copies: Counter[str] = Counter()
    found = [""] * len(one)
    for row in sorted(range(len(one)), key=lambda row: names[row]):
        digest = one.digests[row]
        copies[digest] += 1
        found[row] = digest if copies[digest] == 1 else f"{digest} #{copies[digest]}"
    return tuple(found)


def _positions(
    one: Predictions, first: Predictions, keys: Sequence[str], wanted: Sequence[str], what: str
) -> list[int]:
    """The position of each wanted key among the keys."""
    positions = {key: number for number, key in enumerate(keys)}
    if len(positions) < len(keys) or set(positions) != set(wanted):
        members = _named(first, one)
        fact = f"{members[0]} and {members[1]} were not evaluated on the same {what}"
        notes = []
        for each, member, own, others in ((first, members[0], wanted, {*keys}), (one, members[1], keys, {*wanted})):
            names = each.images if what == "images" else own
            only = [name for name, key in zip(names, own, strict=True) if key not in others]
            notes += [f"only {member} has: {_some(sorted(only))}"] if only else []
        raise fail("ensemble", fact, notes=notes, help="evaluate all members on the same data")
    return [positions[key] for key in wanted]


def _named(first: Predictions, second: Predictions) -> tuple[str, str]:
    """The models of two members; with their data, where both are of one model."""
    one, other = first.models[0], second.models[0]
    if one != other:
        return f"`{one}`", f"`{other}`"
    if first.data != second.data:
        return f"`{one}` on `{printable(first.data)}`", f"`{other}` on `{printable(second.data)}`"
    return f"the first `{one}`", f"the second `{other}`"


def _some(names: list[str], shown: int = 5) -> str:
    return listed(names[:shown]) + (f" and {len(names) - shown:,} more" if len(names) > shown else "")
