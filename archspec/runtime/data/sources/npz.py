"""Arrays in an .npz file: x_train, y_train, x_test, y_test as in keras.datasets; or x and y. Nothing is unpickled.

The arrays may also be called `train_images`, `train_labels`, `val_images`, ..., as in MedMNIST.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, counted, fail, listed, printable
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.parts import Parts, part_kind
from archspec.runtime.data.sources.source import DataSource
from archspec.runtime.system.npz_file import NpzError, open_npz
from archspec.targets import LabelColumn
from archspec.targets.label_text import measurements, several_labels

MOST_CLASSES = 100_000
IMAGES = ("x", "images", "image", "imgs", "data")
LABELS = ("y", "labels", "label", "targets", "target")
ROLES = {"images": IMAGES, "labels": LABELS}
"""The words for each role in the names of arrays, in any case and order: `x_train`, `train_images`."""
ARRAYS = "an .npz file needs the arrays x_train, y_train and x_test, y_test (or x_val, y_val), or x and y"


class Npz(DataSource):
    """Arrays `x_train`, `y_train`, `x_val`, ... (or `train_images`, ...), or `x` and `y`; series and volumes too.

    Images are (N, H, W, C) or (N, H, W): integers 0 to 255, or floats 0 to 1. Series are (N, length, C), volumes
    (N, depth, H, W, C), as float32. Labels are integers (N,) or (N, 1). `class_names` is optional.
    """

    name = "npz"
    only_lists = True
    forms = ("FILE.npz",)
    suffixes = (".npz",)

    def has_classes(self, data: str) -> bool:
        arrays = _Arrays(Path(data))
        try:
            for _, labels in _pairs(arrays.names).values():
                arrays.labels(labels)
        except ArchspecError:
            return not all(_is_numeric(arrays, labels) for _, labels in _pairs(arrays.names).values())
        return True

    def open_columns(self, data: str, *, channels: int, report: Report) -> Parts:
        arrays = _Arrays(Path(data))
        if self.has_classes(data):
            return super().open_columns(data, channels=channels, report=report)
        pairs = arrays.pairs()
        return Parts(
            dict.fromkeys(pairs, ()),
            lambda part: _images_with_columns(arrays, *pairs[part], channels, report),
            unused=sorted(arrays.names - {"class_names", *(name for pair in pairs.values() for name in pair)}),
        )

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        arrays = _Arrays(Path(data))
        pairs = arrays.pairs()
        names = _class_names(arrays, np.concatenate([arrays.labels(labels) for _, labels in pairs.values()]))
        used = {"class_names", *(name for pair in pairs.values() for name in pair)}
        return Parts(
            dict.fromkeys(pairs, names),
            lambda part: _images(arrays, *pairs[part], names, channels, report),
            unused=sorted(arrays.names - used),
        )


def _columns(arrays: _Arrays, labels: str) -> tuple[LabelColumn, ...]:
    """The labels of a part: class numbers, one-hot or multi-hot rows, or numbers to predict."""
    y = arrays.read(labels)
    rows = y.reshape(len(y), -1)
    arrays.check(y.ndim < 3 and y.dtype.kind in "biuf", f"`{labels}` is {y.dtype} of shape {y.shape}")
    names = tuple(map(str, range(rows.shape[1])))
    if "class_names" in arrays.names and rows.shape[1] > 1:
        names = tuple(map(str, arrays.read("class_names")))
        arrays.check(len(names) == rows.shape[1], f"`class_names` has {counted(len(names), 'name')}")
    return (LabelColumn("", names, matrix=rows.astype(np.float32)),)


def _pairs(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The names of the arrays of images and of labels of each part; of "" if no part is for training."""
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        words = re.split(r"[_\W]", name)
        roles = [role for role, known in ROLES.items() for word in words if word.lower() in known]
        part = "_".join(word for word in words if word.lower() not in {*IMAGES, *LABELS})
        if len(roles) == 1 and (not part or part_kind(part)):
            found.setdefault(part, {}).setdefault(roles[0], name)
    pairs = {part: (own["images"], own["labels"]) for part, own in found.items() if len(own) == len(ROLES)}
    if "" in pairs:
        trained = any(part_kind(part) == "train" for part in pairs)
        return {part: pair for part, pair in pairs.items() if bool(part) == trained}
    return pairs


def _images_with_columns(arrays: _Arrays, name: str, labels: str, channels: int, report: Report) -> Images:
    x, columns = arrays.read(name), _columns(arrays, labels)
    arrays.check(len(x) == len(columns[0]), f"`{name}` and `{labels}` have different lengths")
    if not len(x):
        raise fail("data-empty", f"`{name}` of `{arrays.path}` is empty")
    return Images((), np.zeros(len(x), np.int32), _pixels(arrays, x, name, channels, report), columns=columns)


def _images(
    arrays: _Arrays, name: str, labels: str, class_names: tuple[str, ...], channels: int, report: Report
) -> Images:
    x, y = arrays.read(name), arrays.labels(labels)
    arrays.check(len(x) == len(y), f"`{name}` has {len(x):,} samples, but `{labels}` has {counted(len(y), 'label')}")
    if not len(x):
        raise fail("data-empty", f"`{name}` of `{arrays.path}` is empty")
    return Images(class_names, y, _pixels(arrays, x, name, channels, report))


class _Arrays:
    """The arrays of a file, each read when it is needed. Errors are data-format, and npz-damaged for an array."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open_npz(path) as file:
                self.names = file.names
        except NpzError as error:
            raise self.error(f"it {error}", help="save it with numpy.savez") from None

    def error(self, fact: str, *, notes: Sequence[str] = (), help: str | None = None) -> ArchspecError:
        return fail("data-format", f"cannot read `{self.path}`: {fact}", notes=notes, help=help)

    def check(self, right: bool, fact: str, *, notes: Sequence[str] = (), help: str | None = None) -> None:
        """Raises data-format with this fact unless the file is right."""
        if not right:
            raise self.error(fact, notes=notes, help=help)

    def pairs(self) -> dict[str, tuple[str, str]]:
        """`_pairs` of its names. Raises data-format without any."""
        pairs = _pairs(self.names)
        notes = [f"it has {listed(map(printable, sorted(self.names))) or 'no arrays'}"]
        self.check(bool(pairs), "arrays of images or labels are missing", notes=notes, help=ARRAYS)
        return pairs

    def read(self, name: str) -> npt.NDArray[Any]:
        try:
            with open_npz(self.path) as file:
                array = file.read(name)
        except NpzError as error:
            if error.damaged:
                raise fail("npz-damaged", f"`{name}` of `{self.path}` {error}", help="save it again") from None
            help = "save plain arrays, such as uint8 (N, H, W, C); large images as files, which are read when needed"
            raise self.error(f"`{name}` {error}", help=help) from None
        self.check(array.ndim > 0, f"`{name}` is a single value")
        return array

    def _check_classes(self, name: str, y: npt.NDArray[Any]) -> None:
        """Raises data-format for several labels of an image, and for numbers with decimals."""

        def error(fact: str, help: str) -> ArchspecError:
            return self.error(f"`{name}`: {fact}", help=help)

        if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "biuf" and np.isin(y, (0, 1)).all():
            if (y.sum(axis=1) == 1).all():
                raise error("the labels are one-hot rows", f"save class numbers: `{name}.argmax(axis=1)`")
            several = int((y.sum(axis=1) > 1).sum())
            raise several_labels(
                f"{counted(several, 'image')} {'has' if several == 1 else 'have'} several labels", error
            )
        if y.ndim == 1 and y.dtype.kind == "f" and np.isfinite(y).all() and (np.rint(y) != y).any():
            raise measurements(", ".join(f"{value:g}" for value in y[:3]), error)

    def labels(self, name: str) -> npt.NDArray[np.int32]:
        """int32 (N,), from integers (N,) or (N, 1)."""
        y = self.read(name)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        self._check_classes(name, y)
        help = "labels are integers of shape (N,): class numbers 0, 1, 2, ..."
        self.check(y.ndim == 1 and y.dtype.kind in "iu", f"`{name}` is {y.dtype} of shape {y.shape}", help=help)
        if len(y) and (y.min() < 0 or y.max() >= MOST_CLASSES):
            raise self.error(f"`{name}` has labels from {y.min()} to {y.max()}", help="number the classes from 0")
        return y.astype(np.int32)


def _is_numeric(arrays: _Arrays, labels: str) -> bool:
    """Whether the labels are rows of numbers, or numbers with decimals."""
    try:
        y = arrays.read(labels)
    except ArchspecError:
        return False
    return y.dtype.kind in "biuf" and y.ndim in (1, 2) and bool(y.size) and (y.dtype.kind == "f" or y.ndim == 2)


def _class_names(arrays: _Arrays, y: npt.NDArray[np.int32]) -> tuple[str, ...]:
    """The array `class_names`, or the labels as text."""
    count = int(y.max()) + 1 if len(y) else 0
    names = tuple(map(str, range(count)))
    if "class_names" in arrays.names:
        given = arrays.read("class_names")
        fact = f"`class_names` is {given.dtype} of shape {given.shape}"
        arrays.check(given.ndim == 1 and given.dtype.kind in "US", fact, help="save a list of strings")
        names = tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in given)
        arrays.check(len(set(names)) == len(names), "`class_names` has a name twice")
        fact = f"the greatest label is {count - 1}, but `class_names` has {counted(len(names), 'name')}"
        arrays.check(len(names) >= count, fact)
    return names


def _pixels(arrays: _Arrays, x: npt.NDArray[Any], name: str, channels: int, report: Report) -> npt.NDArray[Any]:
    """uint8 (N, H, W, C) for images; float32 for series (N, length, channels) and volumes."""
    arrays.check(x.dtype.kind in "buif", f"`{name}` is {x.dtype}, not numbers")
    arrays.check(0 not in x.shape, f"`{name}` has shape {x.shape}")
    arrays.check(bool(np.isfinite([x.min(), x.max()]).all()), f"`{name}` has NaN or infinite values")
    if x.ndim == 2 and channels == 1:
        x = x[..., None]
    if (x.ndim == 3 and x.shape[-1] == channels) or x.ndim == 5:
        return x.astype(np.float32)
    if x.ndim == 3:
        x = x[..., None]
    help = "images are (N, H, W, C) or (N, H, W); series are (N, length, C)"
    arrays.check(x.ndim == 4, f"`{name}` has shape {x.shape}", help=help)
    return _grey_levels(arrays, x, name, report)


def _grey_levels(arrays: _Arrays, x: npt.NDArray[Any], name: str, report: Report) -> npt.NDArray[np.uint8]:
    """Integers 0 to 255 as they are; floats 0 to 1 and booleans times 255."""
    low, high = float(x.min()), float(x.max())
    values = f"`{name}` is {x.dtype} with values from {low:g} to {high:g}"
    if x.dtype.kind == "b" or (x.dtype.kind == "f" and low >= 0 and high <= 1):
        report(f"{values}: scaled to grey levels 0 to 255")
        return np.rint(x * np.float32(255)).astype(np.uint8)
    if x.dtype.kind in "iu" and low >= 0 and high == 1:
        report(f"{values}: used as grey levels as they are, where 255 is white")
    if low >= 0 and high <= 255 and (x.dtype.kind != "f" or bool((np.rint(x) == x).all())):
        return x.astype(np.uint8)
    raise arrays.error(
        values, help="images are integers 0 to 255 or floats 0 to 1; `preprocess` in the spec scales them"
    )
