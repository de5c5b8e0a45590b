"""Image files inside TFRecord files: ImageNet's layout, and the folders that TensorFlow Datasets prepares."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from archspec.diagnostics import fail, listed
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.pipeline.select import PARTS, VALIDATION, Parts
from archspec.runtime.data.sources.folder import one_class
from archspec.runtime.data.sources.tfrecord_index import Index, index_of

SHARD = re.compile(r"-(?P<number>\d{5,6})-of-(?P<count>\d{5,6})$")
OTHERS = re.compile(r"\.(array_record|riegeli|bagz)(-|$)")
"""In the names of files that TensorFlow Datasets writes in other formats."""
PART = re.compile(rf"(?:^|[-_.])({'|'.join(('train', *VALIDATION))})(?=[-_.]|$)")


def is_record_file(name: str) -> bool:
    """Whether a file is called as a TFRecord is: `x.tfrecord`, `train-00000-of-01024`."""
    return not name.startswith(".") and (name.endswith((".tfrecord", ".tfrecords")) or SHARD.search(name) is not None)


def has_part(name: str) -> bool:
    """Whether a name says `train`, `validation` and the like."""
    return PART.search(name) is not None


def record_files(folder: Path) -> list[Path]:
    """The TFRecord files directly in a folder, by name."""
    return sorted(each for each in folder.iterdir() if is_record_file(each.name) and each.is_file())


def open_tfrecords(source: Path, report: Report) -> Parts:
    """The images of a TFRecord file, or of all in a folder, whose names say `train`, `validation` and the like.

    Records are tf.train.Examples with `image/encoded` and `image/class/label` (and `image/class/synset` or
    `image/class/text` for the names of the classes), or with `image` and `label`, as TensorFlow Datasets writes them
    (and the names in `label.labels.txt`). Without names, classes are called by their numbers.
    Raises data-format, data-empty, data-one-class.
    """
    files = record_files(source) if source.is_dir() else [source]
    if other := next((found[1] for file in files if (found := OTHERS.search(file.name))), None):
        help = "with TensorFlow Datasets: prepare it with `file_format=tfrecord`, in another folder"
        raise fail("data-format", f"`{source}` is of the format {other}, and archspec reads TFRecord", help=help)
    parts: dict[str, list[Path]] = {}
    for file in files:
        found = PART.search(file.name) if source.is_dir() else None
        parts.setdefault(found[1] if found else "", []).append(file)
    if "" in parts and len(parts) > 1:
        report(f"left out, for their names say neither `train` nor `validation`: {_some(parts.pop(''))}")
    for own in parts.values():
        _check_whole(source, own)
    indices = {name: index_of(parts[name], report) for name in PARTS if name in parts}
    names, numbers = _classes(source, indices)
    return {name: _images(names, numbers, parts[name], index) for name, index in indices.items()}


def _images(names: tuple[str, ...], numbers: dict[int, int], files: Sequence[Path], index: Index) -> Images:
    return Images(
        names,
        np.array([numbers[label] for label in index.labels.tolist()], np.int32),
        files=tuple(str(files[shard]) for shard in index.shards.tolist()),
        spans=index.spans,
    )


def _classes(source: Path, indices: dict[str, Index]) -> tuple[tuple[str, ...], dict[int, int]]:
    """The names of the classes, and the number of each label that occurs."""
    labels = sorted({label for index in indices.values() for label in np.unique(index.labels).tolist()})
    if not labels:
        raise fail("data-empty", f"`{source}` holds no records")
    folder = source if source.is_dir() else source.parent
    listing = folder / "label.labels.txt"
    if listing.is_file():
        names = listing.read_text(encoding="utf-8").splitlines()
        if labels[-1] >= len(names) or labels[0] < 0:
            raise fail("data-format", f"a label is {labels[-1]}, and `{listing}` names {len(names)} classes")
        return tuple(names), {label: label for label in labels}
    called = {label: name for index in indices.values() for label, name in index.names.items()}
    if len(set(called.values())) < len(labels):
        called = {label: str(label) for label in labels}
    if len(labels) == 1:
        raise one_class(str(source), called[labels[0]])
    return tuple(called[label] for label in labels), {label: number for number, label in enumerate(labels)}


def _check_whole(source: Path, files: Sequence[Path]) -> None:
    """Raises data-format when a shard is missing: `train-00001-of-00008` without `train-00000-of-00008`."""
    if not source.is_dir():
        return
    shards: dict[tuple[str, int], set[int]] = {}
    for file in files:
        if found := SHARD.search(file.name):
            shards.setdefault((file.name[: found.start()], int(found["count"])), set()).add(int(found["number"]))
    for (start, count), numbers in shards.items():
        missing = sorted(set(range(count)) - numbers)
        if missing:
            fact = f"`{source}` lacks {len(missing):,} of the {count:,} files `{start}-...-of-{count:05}`"
            raise fail("data-format", fact, notes=[f"the first is {start}-{missing[0]:05}-of-{count:05}"])


def _some(files: Sequence[Path], most: int = 5) -> str:
    return listed(os.fsencode(file.name).decode("utf-8", "backslashreplace") for file in files[:most]) + (
        f" and {len(files) - most} more" if len(files) > most else ""
    )
