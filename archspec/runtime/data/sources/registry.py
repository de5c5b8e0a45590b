"""Where images come from: the one place that knows every kind of source by the name that it is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from archspec.diagnostics import did_you_mean, fail, nearest
from archspec.runtime.data.files.entries_file import place_of
from archspec.runtime.data.files.examine import examined
from archspec.runtime.data.images import Images, Report, class_counts
from archspec.runtime.data.pipeline.select import Parts, selected
from archspec.runtime.data.pipeline.split import already_split
from archspec.runtime.data.sources.folder import folder_parts, open_folder
from archspec.runtime.data.sources.keras_datasets import PREFIX as KERAS
from archspec.runtime.data.sources.keras_datasets import open_keras
from archspec.runtime.data.sources.npz import npz_parts, open_npz, to_channels
from archspec.runtime.data.sources.table import SUFFIXES, open_table
from archspec.runtime.data.sources.tfds import PREFIX as TFDS
from archspec.runtime.data.sources.tfds import open_tfds
from archspec.runtime.data.sources.tfrecord import is_record_file, open_tfrecords, record_files
from archspec.runtime.models.classifier import check_classes

__all__ = ["EMBEDDED", "Images", "Report", "class_counts", "open_data", "parts_of", "place_of_source"]

EMBEDDED = ("digits",)
HELD_OUT = 450  # the last digits, by writers that the rest does not contain
SOURCES = (
    "a source is `digits`, a folder with one sub-folder for each class, an .npz, .csv, .parquet or TFRecord file, "
    "`keras:NAME` or `tfds:NAME`"
)


def open_data(
    source: str,
    split: Literal["train", "validation"],
    *,
    validation_split: float | None = None,
    seed: int = 0,
    skip_bad_images: bool = False,
    channels: int = 3,
    classes: int | None = None,
    report: Report | None = None,
) -> Images:
    """The labelled images of a source, checked: image files are all decoded once, and again when they change.

    source: `digits` (a folder of that name is `./digits`); a folder that holds `train/` and `val/` (or `validation/`,
        `test/`) with one sub-folder a class, or the classes themselves, or TFRecord files; an .npz, .csv, .parquet or
        TFRecord file; `keras:cifar10` and the like; `tfds:NAME`.
    split: which side. Data in one piece is divided by `validation_split`, the share of each class that is held out,
        drawn by `seed`; without a share all of it is "validation", for `evaluate`.
    channels: what the network takes; grey and RGB are converted into each other.
    classes: those of the network: files of another number of classes are refused before any is decoded.
    report: receives lines about progress and about what was left out.

    Opening files of images starts TensorFlow's runtime: configure logical devices before.

    Raises data-not-found, data-empty, data-one-class, data-classes (the two sides differ), classes-mismatch,
    data-format (a malformed file), data-shape (channels), bad-images (files that are no images, named),
    validation-split, missing-package, download.
    """
    tell: Report = report or (lambda line: None)
    if source in EMBEDDED:
        if validation_split is not None:
            raise already_split(source, f"its last {HELD_OUT} images")
        return _digits(split, channels)
    path = Path(source)
    with _readable(source):
        kind = _kind(source)
        if kind == "folder":
            return open_folder(
                path,
                split,
                validation_split=validation_split,
                seed=seed,
                skip_bad_images=skip_bad_images,
                channels=channels,
                classes=classes,
                report=tell,
            )
        if kind == "npz":
            return open_npz(path, split, validation_split=validation_split, seed=seed, channels=channels, report=tell)
        images = selected(parts_of(source, tell), split, validation_split, seed, source)
        if images.pixels is not None:
            pixels = to_channels(images.pixels.astype(np.uint8), channels, f"`{source}`")
            return Images(images.class_names, images.labels, pixels)
        if channels not in (1, 3):
            raise fail("data-shape", f"image files have 1 or 3 channels, and the network takes {channels}")
        if classes is not None:
            check_classes(classes, len(images.class_names), source)
        place = place_of_source(source)
        images = examined(images, place, channels, skip_bad_images=skip_bad_images, report=tell)
        if not len(images) or (split == "train" and 0 in class_counts(images)):
            names = [name for name, count in zip(images.class_names, class_counts(images), strict=True) if not count]
            raise fail("data-empty", f"`{source}` has no {split} images of class `{names[0]}`")
        return images


def parts_of(source: str, report: Report) -> Parts:
    """All that a source holds, by parts. Files are listed, not opened. Raises as `open_data`."""
    with _readable(source):
        match _kind(source):
            case "digits":
                return {"train": _digits("train", 3), "validation": _digits("validation", 3)}
            case "keras":
                return open_keras(source)
            case "tfds":
                return open_tfds(source, report)
            case "folder":
                return folder_parts(Path(source), report)
            case "npz":
                return npz_parts(Path(source), report)
            case "table":
                return open_table(Path(source))
            case _:
                return open_tfrecords(Path(source), report)


def place_of_source(source: str) -> Path:
    """The file that keeps what is known of the images of a source."""
    return place_of(source)


def _kind(source: str) -> str:
    """Raises data-not-found and data-format."""
    if source in EMBEDDED:
        return source
    for prefix, kind in ((KERAS, "keras"), (TFDS, "tfds")):
        if source.startswith(prefix):
            return kind
    path = Path(source)
    if source and path.is_dir():
        return "tfrecord" if record_files(path) else "folder"
    if not source or not path.is_file():
        help = did_you_mean(source, EMBEDDED) or _beside(path) or SOURCES
        raise fail("data-not-found", f"there is no data at `{source}`", help=help)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return "npz"
    if suffix in SUFFIXES:
        return "table"
    if is_record_file(path.name):
        return "tfrecord"
    raise fail("data-format", f"`{source}` is no file that archspec reads images from", help=SOURCES)


def _beside(path: Path) -> str | None:
    """The help that names what lies beside a path that is not there, and is named much like it."""
    try:
        near = nearest(path.name, (each.name for each in path.parent.iterdir() if each.name[:1] != "."))
    except OSError:
        return None
    return near and f"did you mean `{path.with_name(near)}`?"


@contextmanager
def _readable(source: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("data-not-found", f"cannot read `{error.filename or source}`: {reason}") from error


def _digits(split: str, channels: int) -> Images:
    """8 x 8 grey images of the digits; counts of 0 to 16 dark pixels scaled to 0 to 255."""
    with (
        resources.as_file(resources.files("archspec.runtime.data.sources") / "digits.npz") as path,
        np.load(path) as arrays,
    ):
        x, y = arrays["x"], arrays["y"].astype(np.int32)
    pixels = np.rint(x[..., None] * (255 / 16)).astype(np.uint8)
    rows = slice(None, -HELD_OUT) if split == "train" else slice(-HELD_OUT, None)
    return Images(tuple("0123456789"), y[rows], to_channels(pixels[rows], channels, "`digits`"))
