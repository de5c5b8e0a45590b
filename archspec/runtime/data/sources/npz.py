"""Arrays in an .npz file: x_train, y_train, x_test, y_test as in keras.datasets; or x and y. Nothing is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail, listed
from archspec.format import byte_size
from archspec.ops.base import counted
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.source import VALIDATION, DataSource, Parts, single_class
from archspec.runtime.system.memory import free_memory

MOST_CLASSES = 100_000
ARRAYS = "an .npz file needs the arrays x_train, y_train and x_test, y_test (or x_val, y_val), or x and y"


class Npz(DataSource):
    """Arrays `x_train`, `y_train`, `x_test`, `y_test` (or `x_val`, `y_val`), or `x` and `y`; series and volumes too.

    Images are (N, H, W, C) or (N, H, W): integers 0 to 255, or floats 0 to 1. Series are (N, length, C), volumes
    (N, depth, H, W, C), as float32. Labels are integers (N,) or (N, 1). `class_names` is optional.
    """

    name = "npz"
    forms = ("FILE.npz",)
    suffixes = (".npz",)

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        arrays = _Arrays(Path(data))
        parts = [part for part in ("train", *VALIDATION) if {f"x_{part}", f"y_{part}"} <= arrays.names]
        parts = parts[:2] if "train" in parts else [""] if {"x", "y"} <= arrays.names else parts[:1]
        if not parts:
            notes = [f"it has {listed(sorted(arrays.names)) or 'no arrays'}"]
            raise arrays.error("arrays of images or labels are missing", notes=notes, help=ARRAYS)
        names = _class_names(arrays, np.concatenate([arrays.labels(_name("y", part)) for part in parts]))
        return Parts(dict.fromkeys(parts, names), lambda part: _images(arrays, part, names, channels, report))


def _name(array: str, part: str) -> str:
    return f"{array}_{part}" if part else array


def _images(arrays: _Arrays, part: str, class_names: tuple[str, ...], channels: int, report: Report) -> Images:
    name = _name("x", part)
    x, y = arrays.read(name), arrays.labels(_name("y", part))
    if len(x) != len(y):
        raise arrays.error(f"`{name}` has {len(x):,} samples, but `{_name('y', part)}` has {len(y):,} labels")
    if not len(x):
        raise fail("data-empty", f"`{name}` of `{arrays.path}` is empty")
    return Images(class_names, y, _pixels(arrays, x, name, channels, report))


class _Arrays:
    """The arrays of a file, each read when it is needed. A malformed file is a data-format error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                self.names = {name.removesuffix(".npy") for name in archive.namelist()}
        except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
            raise self.error("it is not an .npz file", help="save it with numpy.savez") from error

    def error(self, fact: str, *, notes: list[str] | None = None, help: str | None = None) -> ArchspecError:
        return fail("data-format", f"cannot read `{self.path}`: {fact}", notes=notes or (), help=help)

    def read(self, name: str) -> npt.NDArray[Any]:
        try:
            with self.path.open("rb") as file, zipfile.ZipFile(file) as archive:
                self._check_size(name, archive.getinfo(f"{name}.npy").file_size)
                with archive.open(f"{name}.npy") as member:
                    array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        except ValueError as error:
            if "allow_pickle" not in str(error):
                raise self.error(f"`{name}` is damaged") from None
            fact = f"`{name}` holds Python objects, which archspec does not unpickle"
            raise self.error(fact, help="save plain arrays, such as uint8 (N, H, W, C)") from None
        except (OSError, EOFError, KeyError, SyntaxError, zipfile.BadZipFile, zlib.error, RuntimeError):
            raise self.error(f"`{name}` is damaged") from None
        except MemoryError:
            raise self.error(f"`{name}` does not fit in memory") from None
        if not array.ndim:
            raise self.error(f"`{name}` is a single value")
        return array

    def _check_size(self, name: str, size: int) -> None:
        """Raises data-format for more bytes than free memory: a compressed file of 1 MB can hold a gigabyte."""
        if size > (free := free_memory()):
            fact = f"`{name}` needs {byte_size(size)} of memory, but {byte_size(free)} are free"
            raise self.error(fact, help="save the images as files, which are read when they are needed")

    def labels(self, name: str) -> npt.NDArray[np.int32]:
        """int32 (N,), from integers (N,) or (N, 1)."""
        y = self.read(name)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1 or y.dtype.kind not in "iu":
            help = "labels are integers of shape (N,): class numbers 0, 1, 2, ..."
            raise self.error(f"`{name}` is {y.dtype} of shape {y.shape}", help=help)
        if len(y) and (y.min() < 0 or y.max() >= MOST_CLASSES):
            raise self.error(f"`{name}` has labels from {y.min()} to {y.max()}", help="number the classes from 0")
        return y.astype(np.int32)


def _class_names(arrays: _Arrays, y: npt.NDArray[np.int32]) -> tuple[str, ...]:
    """The array `class_names`, or the labels as text."""
    count = int(y.max()) + 1 if len(y) else 0
    names = tuple(map(str, range(count)))
    if "class_names" in arrays.names:
        given = arrays.read("class_names")
        if given.ndim != 1 or given.dtype.kind not in "US":
            raise arrays.error(f"`class_names` is {given.dtype} of shape {given.shape}", help="save a list of strings")
        names = tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in given)
        if len(set(names)) < len(names):
            raise arrays.error("`class_names` has a name twice")
        if len(names) < count:
            raise arrays.error(
                f"the greatest label is {count - 1}, but `class_names` has {counted(len(names), 'name')}"
            )
    if len(names) == 1:
        raise single_class(str(arrays.path), names[0])
    return names


def _pixels(arrays: _Arrays, x: npt.NDArray[Any], name: str, channels: int, report: Report) -> npt.NDArray[Any]:
    """uint8 (N, H, W, C) for images; float32 for series (N, length, channels) and volumes."""
    if x.dtype.kind not in "buif":
        raise arrays.error(f"`{name}` is {x.dtype}, not numbers")
    if 0 in x.shape:
        raise arrays.error(f"`{name}` has shape {x.shape}")
    if not np.isfinite([x.min(), x.max()]).all():
        raise arrays.error(f"`{name}` has NaN or infinite values")
    if x.ndim == 2 and channels == 1:
        x = x[..., None]
    if (x.ndim == 3 and x.shape[-1] == channels) or x.ndim == 5:
        return x.astype(np.float32)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4:
        help = "images are (N, H, W, C) or (N, H, W); series are (N, length, C)"
        raise arrays.error(f"`{name}` has shape {x.shape}", help=help)
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
