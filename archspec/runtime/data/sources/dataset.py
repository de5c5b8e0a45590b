"""The labelled images of a data source: opened, split, decoded once, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed, printable
from archspec.runtime.data.files.file_checks import checked_files
from archspec.runtime.data.files.image_facts import cache_file
from archspec.runtime.data.images import Images, Report, check_classes, class_counts, to_channels
from archspec.runtime.data.sources.source import VALIDATION, Parts, find_source

Split = Literal["train", "validation"]


def open_data(
    data: str,
    split: Split,
    *,
    validation_split: float | None = None,
    seed: int = 0,
    skip_bad_images: bool = False,
    channels: int = 3,
    classes: int | None = None,
    report: Report | None = None,
) -> Images:
    """The training or the validation images of a data source. Image files are decoded once, and again when they change.

    Image files start TensorFlow's runtime: configure logical devices first.

    Args:
        data: a data source, as for `--data` (docs/data.md).
        split: which images. Data without a split is divided by `validation_split`; if that is None, `split` must be
            "validation" and all images are returned, for `evaluate`.
        validation_split: share of each class to hold out, drawn by `seed`.
        skip_bad_images: leave out files that cannot be decoded.
        channels: of the network's input; grey and RGB images are converted into each other.
        classes: of the network; checked before any file is decoded.
        report: receives progress and warnings, line by line.

    Raises:
        ArchspecError: data-not-found, data-format, data-empty, data-one-class, data-classes (of training and
            validation differ), classes-mismatch (with the network), data-shape, bad-images, validation-split,
            missing-package, download.
    """
    tell = report or _ignore
    with os_errors(data):
        parts = find_source(data).open(data, channels=channels, report=tell)
        images = select(parts, split, validation_split, seed, data)
        if classes is not None:
            check_classes(classes, len(images.class_names), data)
        if images.pixels is not None:
            pixels = (
                to_channels(images.pixels.astype(np.uint8), channels, data)
                if images.pixels.ndim == 4
                else images.pixels
            )
            return Images(images.class_names, images.labels, pixels)
        if channels not in (1, 3):
            raise fail("data-shape", f"image files have 1 or 3 channels, but the network's input has {channels}")
        _check_counts(images, split, data, _ignore)
        images = checked_files(images, cache_file(data), channels, skip_bad_images=skip_bad_images, report=tell)
        _check_counts(images, split, data, tell)
        return images


def _ignore(line: str) -> None: ...


def open_parts(data: str, report: Report) -> dict[str, Images]:
    """All parts of a data source, without checks. Files are listed, not decoded. Raises as `DataSource.open`."""
    with os_errors(data):
        return dict(find_source(data).open(data, channels=3, report=report))


@contextmanager
def os_errors(data: str) -> Iterator[None]:
    """Report an OSError as data-not-found."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("data-not-found", f"cannot read `{error.filename or data}`: {reason}") from error


def select(parts: Parts, split: Split, validation_split: float | None, seed: int, data: str) -> Images:
    """The images of a split; data without a validation part is divided by `split_rows`.

    Raises validation-split, data-not-found and data-classes.
    """
    validation = next((part for part in VALIDATION if part in parts), None)
    if validation is None:
        images = parts["train" if "train" in parts else ""]
        return images.only(split_rows(images.labels, split, validation_split, seed, data))
    if "train" in parts:
        if validation_split is not None:
            own = f"`{data}`, which has validation images in its part `{validation}`"
            raise fail(
                "validation-split", f"`--validation-split` does not apply to {own}", help="omit `--validation-split`"
            )
        _check_same_classes(parts, validation, data)
    elif split == "train" or validation_split is not None:
        raise fail("data-not-found", f"`{data}` has the part `{validation}`, but no part `train`")
    return parts["train" if split == "train" else validation]


def _check_same_classes(parts: Parts, validation: str, data: str) -> None:
    train, other = (parts.class_names[part] for part in ("train", validation))
    if train != other:
        only = {"train": sorted(set(train) - set(other)), validation: sorted(set(other) - set(train))}
        notes = [f"only in `{part}`: {_names(names)}" for part, names in only.items() if names]
        fact = f"the parts `train` and `{validation}` of `{data}` have different classes"
        raise fail("data-classes", fact, notes=notes)


def _check_counts(images: Images, split: Split, data: str, report: Report) -> None:
    """Raises data-empty if there are no images, or no training images of a class; reports other empty classes."""
    empty = [name for name, count in zip(images.class_names, class_counts(images), strict=True) if not count]
    if not empty:
        return
    kind = "training" if split == "train" else "validation"
    fact = f"`{data}` has no {kind} images of {'class' if len(empty) == 1 else 'the classes'} {_names(empty)}"
    if split == "train" or not len(images):
        raise fail("data-empty", fact, help="remove these classes, or add images to them")
    report(fact)


def _names(classes: list[str]) -> str:
    return listed((f"`{printable(name)}`" for name in classes), 5)


REMEDY = "`--validation-split 0.1` holds out 10% of the images of every class"


def split_rows(
    labels: npt.NDArray[np.int32], split: str, validation_split: float | None, seed: int, data: str
) -> npt.NDArray[np.int64]:
    """Row numbers of the "train" or "validation" images of a stratified split, ascending.

    Each class gives round(validation_split * count) images to validation: at least one if it has two, and never all.
    If `validation_split` is None, all rows are "validation".

    Raises:
        ArchspecError: validation-split, for "train" without a share, or for a share outside (0, 1).
    """
    if validation_split is None:
        if split == "train":
            raise fail("validation-split", f"`{data}` has no validation images", help=REMEDY)
        return np.arange(len(labels))
    if not 0 < validation_split < 1:
        fact = f"the validation split must be between 0 and 1, but is {validation_split:g}"
        raise fail("validation-split", fact, help=REMEDY)
    held_out = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(len(rows) * validation_split), 1), len(rows) - 1)
        held_out.append(np.random.default_rng([seed, int(label)]).permutation(rows)[:count])
    validation = np.sort(np.concatenate(held_out))
    return validation if split == "validation" else np.setdiff1d(np.arange(len(labels)), validation)
