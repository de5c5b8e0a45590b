"""Arrays in an .npz file, as `keras.datasets` writes them: x_train, y_train, x_test, y_test; or x, y in one piece."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, fail, listed
from archspec.ops.base import counted
from archspec.runtime.data.images import Images, Report, luminance
from archspec.runtime.data.pipeline.select import VALIDATION, Parts
from archspec.runtime.data.pipeline.split import already_split, check_share, split_rows
from archspec.runtime.data.sources.folder import one_class
from archspec.runtime.system.memory import free_memory

MOST_CLASSES = 100_000
KEYS = "an .npz holds x_train, y_train and x_test, y_test (or x_val, y_val), or x and y"


def open_npz(
    path: Path, split: str, *, validation_split: float | None, seed: int, channels: int, report: Report
) -> Images:
    """The images of one split. Nothing is unpickled. Raises what `open_data` lists."""
    with _Arrays(path) as arrays:
        return _open(arrays, split, validation_split, seed, channels, report)


def _open(
    arrays: _Arrays, split: str, validation_split: float | None, seed: int, channels: int, report: Report
) -> Images:
    names = set(arrays.names)
    validation = next((end for end in VALIDATION if {f"x_{end}", f"y_{end}"} <= names), None)
    rows: Any = slice(None)
    if {"x_train", "y_train"} <= names:
        if validation and validation_split is not None:
            check_share(validation_split)
            raise already_split(str(arrays.path), f"`x_{validation}`")
        if not validation:
            rows = split_rows(arrays.labels("y_train"), split, validation_split, seed, str(arrays.path))
        ends = ["train", validation] if validation else ["train"]
        end = ends[-1] if split == "validation" else "train"
    elif {"x", "y"} <= names:
        rows = split_rows(arrays.labels("y"), split, validation_split, seed, str(arrays.path))
        ends = [end := ""]
    elif validation and split == "validation" and validation_split is None:
        ends = [end := validation]
    else:
        notes = [f"it holds {listed(arrays.names) or 'nothing'}"]
        raise arrays.error("it lacks images or labels", notes=notes, help=KEYS)
    suffix = f"_{end}" if end else ""
    every_y = np.concatenate([arrays.labels(f"y_{each}" if each else "y") for each in ends])
    class_names = _class_names(arrays, every_y)
    x, y = arrays.read(f"x{suffix}"), arrays.labels(f"y{suffix}")
    if len(x) != len(y):
        raise arrays.error(f"`x{suffix}` has {len(x):,} samples and `y{suffix}` has {len(y):,} labels")
    if not len(y[rows]):
        raise fail("data-empty", f"`x{suffix}` of `{arrays.path}` is empty")
    return Images(class_names, y[rows], _pixels(arrays, x[rows], f"x{suffix}", channels, report))


def npz_parts(path: Path, report: Report) -> Parts:
    """Each part of a file of images, as RGB. Raises data-format, data-shape, data-empty, data-one-class."""

    def part(split: str) -> Images:
        return open_npz(path, split, validation_split=None, seed=0, channels=3, report=report)

    with _Arrays(path) as arrays:
        names = set(arrays.names)
    whole = {"x", "y"} <= names and not {"x_train", "y_train"} <= names
    validation = next((end for end in VALIDATION if f"x_{end}" in names), None)
    if whole or validation is None:
        return {"": part("validation")}
    return {**({"train": part("train")} if "x_train" in names else {}), validation: part("validation")}


class _Arrays:
    """The arrays of a file, each read when it is asked for; whatever is wrong with the file is a data-format error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened = path.open("rb")  # numpy leaves a damaged file open
        try:
            self._file = np.load(self._opened, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            self._opened.close()
            raise self.error("it is no .npz", help="numpy.savez writes one") from error
        if not isinstance(self._file, np.lib.npyio.NpzFile):
            self._opened.close()
            raise self.error("it holds a single array", help=KEYS)
        self.names = list(self._file.files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._opened.close()

    def error(self, fact: str, *, notes: list[str] | None = None, help: str | None = None) -> ArchspecError:
        return fail("data-format", f"cannot read `{self.path}`: {fact}", notes=notes or (), help=help)

    def read(self, name: str) -> npt.NDArray[Any]:
        try:
            self._check_size(name)
            array = self._file[name]
        except ValueError as error:
            if "allow_pickle" in str(error):
                fact = f"`{name}` holds Python objects, which would have to be unpickled"
                raise self.error(fact, help="save plain arrays of one shape, such as uint8 (N, H, W, C)") from None
            raise self.error(f"`{name}` is damaged") from None
        except (OSError, EOFError, KeyError, SyntaxError, zipfile.BadZipFile, zlib.error, NotImplementedError):
            raise self.error(f"`{name}` is damaged") from None
        except MemoryError:
            raise self.error(f"`{name}` does not fit in memory") from None
        if not isinstance(array, np.ndarray):
            raise self.error(f"`{name}` is no array")
        if not array.ndim:
            raise self.error(f"`{name}` is a single value")
        return array

    def _check_size(self, name: str) -> None:
        """Raises data-format when it is greater than what memory is left: a file of 1 MB can hold a gigabyte."""
        size, free = self._file.zip.getinfo(f"{name}.npy").file_size, free_memory()
        if size > free:
            fact = f"`{name}` takes {size / 2**30:,.1f} GiB, and {free / 2**30:,.1f} GiB of memory are free"
            raise self.error(fact, help="save the images as files, which are read as they are needed")

    def labels(self, name: str) -> npt.NDArray[np.int32]:
        """int32 (N,), from integers (N,) or (N, 1)."""
        y = self.read(name)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim != 1 or y.dtype.kind not in "iu":
            help = "labels are the numbers of classes, 0, 1, 2, ...: integers of shape (N,)"
            raise self.error(f"`{name}` is {y.dtype} of shape {y.shape}", help=help)
        if len(y) and (y.min() < 0 or y.max() >= MOST_CLASSES):
            raise self.error(f"`{name}` has labels from {y.min()} to {y.max()}", help="number the classes from 0")
        return y.astype(np.int32)


def _class_names(arrays: _Arrays, y: npt.NDArray[np.int32]) -> tuple[str, ...]:
    """The file's `class_names`, or the numbers as words."""
    count = int(y.max()) + 1 if len(y) else 0
    if "class_names" not in arrays.names:
        names = tuple(map(str, range(count)))
    else:
        given = arrays.read("class_names")
        if given.ndim != 1 or given.dtype.kind not in "US":
            raise arrays.error(f"`class_names` is {given.dtype} of shape {given.shape}", help="it is a list of strings")
        names = tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in given)
        if len(set(names)) < len(names):
            raise arrays.error("`class_names` names a class twice")
        if len(names) < count:
            raise arrays.error(f"a label is {count - 1}, and `class_names` names {len(names)} classes")
    if len(names) == 1:
        raise one_class(str(arrays.path), names[0])
    return names


def _pixels(arrays: _Arrays, x: npt.NDArray[Any], name: str, channels: int, report: Report) -> npt.NDArray[Any]:
    """uint8 (N, H, W, channels) for images; float32 for series (N, length, channels) and volumes."""
    if x.dtype.kind not in "buif":
        raise arrays.error(f"`{name}` is {x.dtype}, not numbers")
    if 0 in x.shape:
        raise arrays.error(f"`{name}` has shape {x.shape}")
    if x.ndim == 2 and channels == 1:
        x = x[..., None]
    if (x.ndim == 3 and x.shape[-1] == channels) or x.ndim == 5:
        if not np.isfinite(x).all():
            raise arrays.error(f"`{name}` has values that are not finite")
        return x.astype(np.float32)
    if x.ndim == 3:
        x = x[..., None]
    if x.ndim != 4:
        help = "images are (N, H, W, C) or (N, H, W), series are (N, length, C)"
        raise arrays.error(f"`{name}` has shape {x.shape}", help=help)
    return to_channels(_grey_levels(arrays, x, name, report), channels, f"`{name}` of `{arrays.path}`")


def _grey_levels(arrays: _Arrays, x: npt.NDArray[Any], name: str, report: Report) -> npt.NDArray[np.uint8]:
    """0 to 255 as they are; floats in [0, 1] times 255."""
    low, high = x.min(), x.max()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise arrays.error(f"`{name}` has values that are not finite")
    if x.dtype.kind == "b" or (x.dtype.kind == "f" and low >= 0 and high <= 1):
        report(f"`{name}` is {x.dtype} between {float(low):g} and {float(high):g}: scaled to grey levels 0 to 255")
        return np.rint(x * np.float32(255)).astype(np.uint8)
    if x.dtype.kind in "iu" and low >= 0 and high == 1:
        report(f"`{name}` is {x.dtype} between {low} and {high}, taken as grey levels, of which 255 is white")
    if low >= 0 and high <= 255 and (x.dtype.kind != "f" or bool((np.rint(x) == x).all())):
        return x.astype(np.uint8)
    raise arrays.error(
        f"`{name}` is {x.dtype} between {float(low):g} and {float(high):g}",
        help="images are integers 0 to 255, or floats 0 to 1; the page's `preprocess` scales and centres them",
    )


def to_channels(pixels: npt.NDArray[np.uint8], channels: int, what: str) -> npt.NDArray[np.uint8]:
    """Grey to RGB or RGB to grey where the network asks for it. Raises data-shape when neither helps."""
    here = pixels.shape[-1]
    if here == channels:
        return pixels
    if here == 1 and channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    if here == 3 and channels == 1:
        return luminance(pixels)
    fact = f"the images in {what} have {counted(here, 'channel')}, and the network takes {channels}"
    first = pixels.shape[1] in (1, 3) and here > 4
    help = "channels come last: `np.moveaxis(x, 1, -1)` makes (N, H, W, C) of (N, C, H, W)" if first else None
    raise fail("data-shape", fact, help=help)
