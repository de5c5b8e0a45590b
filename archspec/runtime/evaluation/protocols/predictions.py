"""The softmax outputs of many images: kept in a file, put into another order of classes, averaged with others."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.data.images import Images
from archspec.runtime.system.atomic_write import atomic, check_writable, os_errors, reason

HELP = "such a file is what `archspec evaluate --save-predictions FILE.npz` writes"
VERSION = 1
DAMAGED = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    SyntaxError,
    MemoryError,
    OverflowError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise on damaged files."""


@dataclass(frozen=True)
class Predictions:
    """Posteriors of labelled images, and what gave them.

    Attributes:
        posteriors: float32 (N, classes), each row a probability distribution.
        labels: int32 (N,), numbers of the true classes.
        class_names: of the columns.
        images: what tells the images apart: `CLASS/FILE`, or their numbers.
        models: the model file; of an ensemble, those of its members.
        protocols: as a page says them; of an ensemble, one for each member.
        scales: the smallest sides of the rescaled images, such as `224, 256, 288`; one for each member.
        data: the source, and what of it.
        passes: forward passes an image, of all members together.
        images_per_second: None where nothing was computed.
    """

    posteriors: npt.NDArray[np.float32] = field(repr=False)
    labels: npt.NDArray[np.int32] = field(repr=False)
    class_names: tuple[str, ...]
    images: tuple[str, ...] = field(repr=False)
    models: tuple[str, ...]
    protocols: tuple[str, ...]
    scales: tuple[str, ...]
    data: str
    passes: int
    images_per_second: float | None = None

    def __len__(self) -> int:
        return len(self.labels)


def image_names(images: Images) -> tuple[str, ...]:
    """What tells the images apart, on any machine: folder and name of each file, or the numbers of the rows."""
    if images.files is None:
        return tuple(map(str, range(len(images))))
    places = [""] * len(images) if images.spans is None else [f"@{start}" for start in images.spans[:, 0].tolist()]
    return tuple("/".join(Path(file).parts[-2:]) + place for file, place in zip(images.files, places, strict=True))


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write an .npz, whole or not at all, in a new folder if need be. Raises ArchspecError: `cannot-write`."""
    path = Path(path)
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            archspec_predictions=np.array(VERSION),
            posteriors=predictions.posteriors,
            labels=predictions.labels,
            class_names=np.array(predictions.class_names),
            images=np.array(predictions.images),
            models=np.array(predictions.models),
            protocols=np.array(predictions.protocols),
            scales=np.array(predictions.scales),
            data=np.array(predictions.data),
            passes=np.array(predictions.passes),
            images_per_second=np.array(predictions.images_per_second or np.nan),
        )


def check_predictions_path(path: str | Path) -> Path:
    """Raises `bad-output` for a name that does not end in .npz, `output-exists`, `cannot-write`."""
    path = Path(path)
    if path.suffix != ".npz":
        raise fail("bad-output", f"the name `{path}` does not end in `.npz`", help=f"write `{path.name}.npz`")
    taken = [each for each in (path, path.with_stem(f"{path.stem}-1")) if each.exists()]
    if taken:
        raise fail("output-exists", f"`{taken[0]}` exists", help="give another name")
    check_writable(path)
    return path


def save_all(path: str | Path, rows: Sequence[Predictions]) -> list[Path]:
    """One under the name itself, several as NAME-1.npz, NAME-2.npz, ...; returns the files. Raises as above."""
    path = check_predictions_path(path)
    files = [path] if len(rows) == 1 else [path.with_stem(f"{path.stem}-{i + 1}") for i in range(len(rows))]
    for file, row in zip(files, rows, strict=True):
        save_predictions(file, row)
    return files


def load_predictions(path: str | Path) -> Predictions:
    """Raises ArchspecError: `bad-predictions` for what is no such file. Nothing is unpickled."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if not isinstance(kept, np.lib.npyio.NpzFile) or "archspec_predictions" not in kept.files:
                raise _bad(path, "it holds no predictions")
            version = int(kept["archspec_predictions"])
            if version != VERSION:
                raise _bad(path, f"it is of version {version}, which this archspec does not know")
            speed = float(kept["images_per_second"])
            found = Predictions(
                np.asarray(kept["posteriors"], np.float32),
                np.asarray(kept["labels"], np.int32),
                _texts(kept["class_names"]),
                _texts(kept["images"]),
                _texts(kept["models"]),
                _texts(kept["protocols"]),
                _texts(kept["scales"]),
                str(kept["data"]),
                int(kept["passes"]),
                speed if np.isfinite(speed) else None,
            )
    except OSError as error:
        raise _bad(path, reason(error)) from error
    except DAMAGED as error:
        raise _bad(path, "it is damaged, or something else") from error
    _check(path, found)
    return found


def average(members: Sequence[Predictions], weights: Sequence[float] | None = None) -> Predictions:
    """The weighted mean of the softmax outputs, in the first one's order of classes and of images.

    weights: one for each member, positive; by default all alike.

    Raises ArchspecError: `ensemble` when the members did not see the same images, or know other classes.
    """
    first = members[0]
    shares = np.ones(len(members)) if weights is None else np.asarray(weights, float)
    shares = shares / shares.sum()
    total = np.zeros(first.posteriors.shape)
    for member, share in zip(members, shares, strict=True):
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
    """The same predictions with the rows and columns of `first`, matched by name."""
    if predictions.class_names == first.class_names and predictions.images == first.images:
        found = predictions
    else:
        rows = _places(predictions, first, predictions.images, first.images, "image")
        columns = _places(predictions, first, predictions.class_names, first.class_names, "class")
        names = np.array(predictions.class_names)[predictions.labels[rows]]
        numbers = {name: number for number, name in enumerate(first.class_names)}
        found = replace(
            predictions,
            posteriors=predictions.posteriors[rows][:, columns],
            labels=np.array([numbers[name] for name in names.tolist()], np.int32),
            class_names=first.class_names,
            images=first.images,
        )
    wrong = np.flatnonzero(found.labels != first.labels)
    if len(wrong):
        pair = f"`{first.models[0]}` and `{predictions.models[0]}`"
        fact = f"{pair} were tested with other classes of {len(wrong):,} images"
        note = f"`{first.images[wrong[0]]}` is {first.class_names[first.labels[wrong[0]]]} for the first, "
        note += f"{first.class_names[found.labels[wrong[0]]]} for the second"
        raise fail("ensemble", fact, notes=[note])
    return found


def _places(
    one: Predictions, first: Predictions, names: tuple[str, ...], wanted: tuple[str, ...], what: str
) -> list[int]:
    """Where each wanted name stands."""
    place = {name: number for number, name in enumerate(names)}
    plural = "images" if what == "image" else "classes"
    if len(place) < len(names) or set(place) != set(wanted):
        fact = f"`{first.models[0]}` and `{one.models[0]}` were not tested on the same {plural}"
        pairs = ((first, set(wanted) - set(names)), (one, set(names) - set(wanted)))
        notes = [f"only `{each.models[0]}` has: {_some(sorted(only))}" for each, only in pairs if only]
        raise fail("ensemble", fact, notes=notes, help="evaluate all members on the same data")
    return [place[name] for name in wanted]


def _some(names: list[str], shown: int = 5) -> str:
    return listed(names[:shown]) + (f" and {len(names) - shown:,} more" if len(names) > shown else "")


def _texts(array: Any) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind != "U":
        raise ValueError("no list of words")
    return tuple(array.tolist())


def _check(path: str | Path, found: Predictions) -> None:
    count, classes = len(found.images), len(found.class_names)
    if found.posteriors.shape != (count, classes) or found.labels.shape != (count,) or not count or classes < 2:
        raise _bad(path, f"posteriors {found.posteriors.shape} for {count:,} images and {classes:,} classes")
    if found.labels.min() < 0 or found.labels.max() >= classes:
        raise _bad(path, f"labels from {found.labels.min()} to {found.labels.max()} for {classes:,} classes")
    if not found.models or not len(found.models) == len(found.protocols) == len(found.scales):
        raise _bad(path, "it does not say what gave the predictions")


def _bad(path: str | Path, fact: str) -> Exception:
    return fail("bad-predictions", f"cannot read `{path}`: {fact}", help=HELP)
