"""The labelled images of a data source: opened, split, decoded once, and checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed, printable
from archspec.runtime.data.files.conversions import lost_colors
from archspec.runtime.data.files.file_checks import checked_files
from archspec.runtime.data.files.image_facts import cache_file
from archspec.runtime.data.images import Images, Report, check_classes, class_counts, to_channels, with_classes
from archspec.runtime.data.sources.parts import SPLITS, Parts
from archspec.runtime.data.sources.source import find_source, open_source
from archspec.targets import OutputTargets


def open_data(
    data: str,
    split: str,
    *,
    validation_split: float | None = None,
    seed: int = 0,
    skip_bad_images: bool = False,
    channels: int = 3,
    classes: int | None = None,
    parts: Parts | None = None,
    whole: bool = False,
    targets: OutputTargets | None = None,
    trained: bool = False,
    report: Report | None = None,
) -> Images:
    """The training or the validation images of a data source. Image files are decoded once, and again when they change.

    Image files start TensorFlow's runtime: configure logical devices first.

    Args:
        data: a data source, as for `--data` (docs/data.md).
        split: "train" or "validation", as in training, or the name of a part: "test". Data without a part for
            validation is divided by `validation_split`; if that is None, `split` must be "validation" and all images
            are returned, for `evaluate`.
        validation_split: share of each class to hold out, drawn by `seed`.
        skip_bad_images: leave out files that cannot be decoded.
        channels: of the network's input; grey and RGB images are converted into each other.
        classes: of the network; checked before any file is decoded.
        parts: of the data source, if it is open already.
        targets: what the outputs of a network are trained on; by default one class for each image.
        trained: whether the classes of `targets` are those of a trained network.
        report: receives progress and warnings, line by line.

    Raises:
        ArchspecError: data-not-found, data-format, data-empty, data-one-class, data-classes (of training and
            validation differ), classes-mismatch (with the network), data-shape, bad-images, validation-split,
            missing-package, download.
    """
    tell = report or _ignore
    with os_errors(data):
        parts = parts or open_targets(data, targets, channels=channels, report=tell, trained=trained)
        check_names(parts, data)
        if split == "train" and not parts.encoded:
            _check_several_classes(parts, data)
        images = select(parts, split, validation_split, seed, data, whole=whole)
        if split == "train":
            for line in look_alikes(parts):
                tell(line)
        if split == "train" and parts.not_used():
            tell(f"{printable(data)}: {parts.described()}")
        if classes is not None and images.targets is None:
            check_classes(classes, len(images.class_names), data)
        if images.pixels is not None:
            if channels == 1 and images.pixels.ndim == 4 and images.pixels.shape[-1] == 3:
                tell(lost_colors(len(images), len(images)))
            pixels = (
                to_channels(images.pixels.astype(np.uint8), channels, data)
                if images.pixels.ndim == 4
                else images.pixels
            )
            return replace(images, pixels=pixels)
        if channels not in (1, 3):
            raise fail("data-shape", f"image files have 1 or 3 channels, but the network's input has {channels}")
        share = validation_split if parts.validation is None and split == "validation" else None
        _check_counts(images, split, data, _ignore, share)
        images = checked_files(images, cache_file(data), channels, skip_bad_images=skip_bad_images, report=tell)
        _check_counts(images, split, data, tell, share)
        return images


def _ignore(line: str) -> None: ...


def check_names(parts: Parts, data: str) -> None:
    """Raises data-format for a class whose name is not UTF-8: run directories and model files could not store it."""
    for part, names in parts.class_names.items():
        for name in names:
            if not name.isascii() and name != name.encode(errors="ignore").decode():
                place = f"`{printable(data)}`" + f", part `{printable(part)}`," * bool(part)
                raise fail(
                    "data-format",
                    f"the class `{printable(name)}` of {place} has a name that is not UTF-8",
                    help="rename it",
                )


def look_alikes(parts: Parts) -> list[str]:
    """A line for class names that differ only in case, spaces or the Unicode form of their letters."""
    groups: dict[str, dict[str, None]] = {}
    for name in dict.fromkeys(name for names in parts.class_names.values() for name in names):
        plain = " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())
        groups.setdefault(plain, {})[name] = None
    alike = [listed((f"`{printable(name)}`" for name in group), 5) for group in groups.values() if len(group) > 1]
    return [f"classes that may be the same: {listed(alike, 5)}"] if alike else []


def _check_several_classes(parts: Parts, data: str) -> None:
    names = () if parts.train is None else parts.class_names[parts.train]
    if len(names) == 1:
        fact = f"`{printable(data)}` has only one class, `{printable(names[0])}`; a classifier needs at least two"
        folder = f"put the images of each class into their own folder: {Path(printable(data)) / 'CLASS' / 'image.jpg'}"
        raise fail("data-one-class", fact, help=folder if Path(data).is_dir() else None)


def open_parts(data: str, report: Report) -> Parts:
    """All parts of a data source, without checks. Files are listed, not decoded. Raises as `DataSource.open`.

    Labels that are not one class for each image are in `Images.columns`.
    """
    with os_errors(data):
        return open_source(data, channels=3, report=report, columns=not find_source(data).has_classes(data))


def listed_parts(data: str, *, channels: int, targets: OutputTargets, report: Report) -> Parts | None:
    """The parts of a source that only lists files, with as many classes as the network, before TensorFlow is imported.

    None for another source. Raises as `open_data`.
    """
    if not find_source(data).only_lists:
        return None
    with os_errors(data):
        parts = open_targets(data, targets, channels=channels, report=report)
    check_names(parts, data)
    if parts.encoded:
        return parts
    _check_several_classes(parts, data)
    if parts.train is not None:
        check_classes(targets[0].units, len(parts.class_names[parts.train]), data)
    return parts


def open_targets(
    data: str, targets: OutputTargets | None, *, channels: int, report: Report, trained: bool = False
) -> Parts:
    """The parts of a data source, with the labels that the outputs of a network are trained on.

    Raises as `open_data`.
    """
    source = find_source(data)
    if targets is None or (targets.is_alike("classes") and source.has_classes(data)):
        return open_source(data, channels=channels, report=report)
    parts = open_source(data, channels=channels, report=report, columns=True)
    if not parts:
        return parts
    first = parts.train if parts.train is not None else next(iter(parts))
    of_first = parts[first]
    found, y = targets.encoded(of_first.columns, data, known=trained, trained=trained)
    names = found[0].class_names if found[0].kind.shares else ()

    def read(part: str) -> Images:
        images, labels = (of_first, y) if part == first else (parts[part], None)
        if labels is None:
            _, labels = found.encoded(images.columns, data, known=True, trained=trained)
        images = replace(images, class_names=names, labels=found.strata(labels), columns=())
        return images if found.is_plain else replace(images, targets=found, y=labels)

    return Parts(dict.fromkeys(parts, names), read, unused=parts.unused, mark=parts.mark, encoded=True)


@contextmanager
def os_errors(data: str) -> Iterator[None]:
    """Report an OSError as data-not-found."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("data-not-found", f"cannot read `{error.filename or data}`: {reason}") from error


def select(
    parts: Parts, split: str, validation_split: float | None, seed: int, data: str, *, whole: bool = False
) -> Images:
    """The images of a split or of a part; data without a part for validation is divided by `split_rows`.

    Another part gets the class names of the training part if it has no other classes.

    Raises validation-split, data-not-found and data-classes.
    """
    training, validation = parts.train, parts.validation
    if split not in SPLITS or (split == "train" and training is None):
        return _one_part(parts, split, validation_split, data)
    if validation is None:
        if training is None:
            raise parts.not_found(split, data)
        images = parts[training]
        if whole and split == "train" and validation_split is None:
            return images
        return images.only(split_rows(images.labels, split, validation_split, seed, data))
    if validation_split is not None:
        own = f"`{data}`, which has validation images in its part `{printable(validation)}`"
        raise fail(
            "validation-split", f"`--validation-split` does not apply to {own}", help="omit `--validation-split`"
        )
    if training is not None:
        _check_same_classes(parts, training, validation, data)
    if split == "train" or training is None:
        return parts[str(training if split == "train" else validation)]
    return with_classes(parts[validation], parts.class_names[training])


def _one_part(parts: Parts, name: str, validation_split: float | None, data: str) -> Images:
    part = parts.named(name)
    if part is None:
        raise parts.not_found(name, data)
    if validation_split is not None:
        raise fail(
            "validation-split", "`--validation-split` does not apply to a part", help="omit `--validation-split`"
        )
    images, classes = parts[part], () if parts.train is None else parts.class_names[parts.train]
    return with_classes(images, classes) if set(images.class_names) <= set(classes) else images


def _check_same_classes(parts: Parts, training: str, validation: str, data: str) -> None:
    """Raises data-classes if validation has other classes than training."""
    classes = parts.class_names[training]
    only = [name for name in parts.class_names[validation] if name not in classes]
    if only:
        first, second = (printable(part) for part in (training, validation))
        fact = f"the parts `{first}` and `{second}` of `{data}` have different classes"
        missing = [name for name in classes if name not in parts.class_names[validation]]
        notes = [f"only in `{first}`: {_names(missing)}"] if missing else []
        raise fail("data-classes", fact, notes=[*notes, f"only in `{second}`: {_names(only)}", *look_alikes(parts)])


def _check_counts(images: Images, split: str, data: str, report: Report, share: float | None) -> None:
    """Raises data-empty if there are no images, or no training images of a class; reports other empty classes.

    Raises validation-split if a share holds out no images.
    """
    empty = [name for name, count in zip(images.class_names, class_counts(images), strict=True) if not count]
    if not empty:
        return
    kind = {"train": "training", "validation": "validation"}.get(split, f"`{printable(split)}`")
    fact = f"`{data}` has no {kind} images of {'class' if len(empty) == 1 else 'the classes'} {_names(empty)}"
    if share is not None:
        classes = f"class{'es' * (len(empty) > 1)} {_names(empty)}"
        fact = f"`--validation-split {share:g}` leaves no validation images of {classes}: one image cannot be divided"
        help = "add images: of two or more images of a class, any share holds out at least one"
        if not len(images):
            raise fail("validation-split", fact, help=help)
    elif split == "train" or not len(images):
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
        raise fail(
            "validation-split",
            f"the validation split must be between 0 and 1, but is {validation_split:g}",
            help=REMEDY,
        )
    held_out = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(round(len(rows) * validation_split), 1), len(rows) - 1)
        held_out.append(np.random.default_rng([seed, int(label)]).permutation(rows)[:count])
    validation = np.sort(np.concatenate(held_out))
    return validation if split == "validation" else np.setdiff1d(np.arange(len(labels)), validation)
