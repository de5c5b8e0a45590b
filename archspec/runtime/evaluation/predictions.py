"""Predictions: the softmax outputs of labelled images, and the .npz files that hold them."""

from __future__ import annotations

import dataclasses
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.data.images import Images
from archspec.runtime.system.atomic_write import atomic, check_writable, os_errors, reason

HELP = "give a file that `archspec evaluate --save-predictions FILE.npz` wrote"
VERSION = 1
TEXTS = ("class_names", "images", "models", "protocols", "scales")
"""Fields that are lists of words."""
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
    """Softmax outputs of labelled images, and how they were computed.

    Attributes:
        posteriors: float32 (N, classes), each row a probability distribution.
        labels: int32 (N,), the indices of the true classes.
        class_names: names of the columns.
        images: identifiers of the images: `CLASS/FILE`, or their numbers.
        models: the model file; those of the members of an ensemble.
        protocols: the protocol as a spec says it; one for each member of an ensemble.
        scales: the smallest sides of the rescaled images, such as `224, 256, 288`; one for each member.
        data: the data source.
        passes: forward passes for an image, of all members together.
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
    """Identifiers of the images on any machine: folder and name of each file, or the row numbers of an array."""
    if images.files is None:
        return tuple(map(str, range(len(images))))
    places = [""] * len(images) if images.spans is None else [f"@{start}" for start in images.spans[:, 0].tolist()]
    return tuple("/".join(Path(file).parts[-2:]) + place for file, place in zip(images.files, places, strict=True))


def save_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write an .npz atomically; its folder is made if needed. Raises ArchspecError: `cannot-write`."""
    path = Path(path)
    with os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    fields = {each.name: getattr(predictions, each.name) for each in dataclasses.fields(predictions)}
    fields["images_per_second"] = predictions.images_per_second or np.nan
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, archspec_predictions=VERSION, **fields)


def check_predictions_path(path: str | Path) -> Path:
    """Check before long work that predictions can be written.

    Raises:
        ArchspecError: `bad-output` for a name that does not end in .npz, `output-exists`, `cannot-write`.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise fail("bad-output", f"the name `{path}` does not end in `.npz`", help=f"write `{path.name}.npz`")
    taken = [each for each in (path, path.with_stem(f"{path.stem}-1")) if each.exists()]
    if taken:
        raise fail("output-exists", f"`{taken[0]}` exists", help="give another name")
    check_writable(path)
    return path


def save_all(path: str | Path, rows: Sequence[Predictions]) -> list[Path]:
    """Write one file under the name itself, several as NAME-1.npz, NAME-2.npz, ...; returns the files.

    Raises:
        ArchspecError: those of `check_predictions_path`.
    """
    path = check_predictions_path(path)
    files = [path] if len(rows) == 1 else [path.with_stem(f"{path.stem}-{i + 1}") for i in range(len(rows))]
    for file, row in zip(files, rows, strict=True):
        save_predictions(file, row)
    return files


def load_predictions(path: str | Path) -> Predictions:
    """Read an .npz of predictions, without unpickling anything. Raises ArchspecError: `bad-predictions`."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if not isinstance(arrays, np.lib.npyio.NpzFile) or "archspec_predictions" not in arrays.files:
                raise _bad(path, "it does not hold predictions")
            version = int(arrays["archspec_predictions"])
            if version != VERSION:
                raise _bad(path, f"its format has version {version}, and this archspec reads version {VERSION}")
            speed = float(arrays["images_per_second"])
            found = Predictions(
                posteriors=np.asarray(arrays["posteriors"], np.float32),
                labels=np.asarray(arrays["labels"], np.int32),
                data=str(arrays["data"]),
                passes=int(arrays["passes"]),
                images_per_second=speed if np.isfinite(speed) else None,
                **{name: _texts(arrays[name]) for name in TEXTS},
            )
    except OSError as error:
        raise _bad(path, reason(error)) from error
    except DAMAGED as error:
        raise _bad(path, "it is damaged, or not a file of predictions") from error
    _check(path, found)
    return found


def _texts(array: Any) -> tuple[str, ...]:
    if array.ndim != 1 or array.dtype.kind != "U":
        raise ValueError("not a list of words")
    return tuple(array.tolist())


def _check(path: str | Path, found: Predictions) -> None:
    count, classes = len(found.images), len(found.class_names)
    if found.posteriors.shape != (count, classes) or found.labels.shape != (count,) or not count or classes < 2:
        raise _bad(path, f"it has posteriors {found.posteriors.shape} for {count:,} images and {classes:,} classes")
    if found.labels.min() < 0 or found.labels.max() >= classes:
        raise _bad(path, f"it has labels from {found.labels.min()} to {found.labels.max()} for {classes:,} classes")
    if not found.models or not len(found.models) == len(found.protocols) == len(found.scales):
        raise _bad(path, "it does not name the models and protocols of the predictions")


def _bad(path: str | Path, fact: str) -> ArchspecError:
    return fail("bad-predictions", f"cannot read `{path}`: {fact}", help=HELP)
