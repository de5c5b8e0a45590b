"""Image files inside TFRecord files: the layouts of ImageNet and of TensorFlow Datasets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from archspec.diagnostics import fail, listed, printable
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.source import PARTS, VALIDATION, DataSource, Parts, single_class
from archspec.runtime.data.sources.tfrecord_index import Index, index_of

SHARD = re.compile(r"-(?P<number>\d{5,6})-of-(?P<count>\d{5,6})$")
OTHER_FORMATS = re.compile(r"\.(array_record|riegeli|bagz)(-|$)")
"""In the names of files that TensorFlow Datasets writes in other formats."""
PART = re.compile(rf"(?:^|[-_.])({'|'.join(('train', *VALIDATION))})(?=[-_.]|$)")


class TFRecords(DataSource):
    """TFRecords with `image/encoded` and `image/class/label`, as ImageNet's, or with `image` and `label`.

    The names of the files in a folder say `train`, `validation` and so on. The names of the classes are in
    `image/class/synset` or `image/class/text`, or in a file `label.labels.txt` as of TensorFlow Datasets; without any,
    they are the labels.
    """

    name = "tfrecord"
    forms = ("FILE.tfrecord", "FOLDER")

    def takes(self, data: str) -> bool:
        path = Path(data)
        return bool(data) and (bool(record_files(path)) if path.is_dir() else path.is_file() and _is_record_file(path))

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        return open_records(Path(data), report)


def _is_record_file(path: Path) -> bool:
    """Whether a file is named like a TFRecord file: `x.tfrecord`, `train-00000-of-01024`."""
    named_so = path.name.endswith((".tfrecord", ".tfrecords")) or SHARD.search(path.name)
    return bool(named_so) and not path.name.startswith(".")


def has_part(name: str) -> bool:
    """Whether a name has the word `train`, `validation` or the like."""
    return PART.search(name) is not None


def record_files(folder: Path) -> list[Path]:
    """The TFRecord files directly in a folder, by name."""
    return sorted(each for each in folder.iterdir() if _is_record_file(each) and each.is_file())


def open_records(source: Path, report: Report) -> Parts:
    """The images of a TFRecord file, or of all TFRecord files in a folder.

    Raises:
        ArchspecError: data-format, data-empty, data-one-class.
    """
    files = record_files(source) if source.is_dir() else [source]
    if other := next((found[1] for file in files if (found := OTHER_FORMATS.search(file.name))), None):
        help = "prepare the data set again in another folder, with `file_format=tfrecord`"
        raise fail("data-format", f"`{source}` has the format {other}, but archspec reads TFRecord", help=help)
    parts: dict[str, list[Path]] = {}
    for file in files:
        found = PART.search(file.name) if source.is_dir() else None
        parts.setdefault(found[1] if found else "", []).append(file)
    if "" in parts and len(parts) > 1:
        left_out = listed((printable(file.name) for file in parts.pop("")), 5)
        report(f"files without `train` or `validation` in their names are ignored: {left_out}")
    if source.is_dir():
        for own in parts.values():
            _check_shards(source, own)
    indices = {part: index_of(parts[part], report) for part in PARTS if part in parts}
    names = _class_names(source, indices)
    number_of = {label: number for number, label in enumerate(names)}
    return Parts.of({part: _images(names, number_of, parts[part], index) for part, index in indices.items()})


def _images(names: dict[int, str], number_of: dict[int, int], files: Sequence[Path], index: Index) -> Images:
    return Images(
        tuple(names.values()),
        np.array([number_of[label] for label in index.labels.tolist()], np.int32),
        files=tuple(str(files[shard]) for shard in index.shards.tolist()),
        spans=index.spans,
    )


def _class_names(source: Path, indices: dict[str, Index]) -> dict[int, str]:
    """The label and the name of each class, in the order of the classes."""
    labels = sorted({label for index in indices.values() for label in np.unique(index.labels).tolist()})
    if not labels:
        raise fail("data-empty", f"`{source}` has no records")
    listing = (source if source.is_dir() else source.parent) / "label.labels.txt"
    if listing.is_file():
        names = dict(enumerate(listing.read_text(encoding="utf-8").splitlines()))
        if labels[-1] >= len(names) or labels[0] < 0:
            wrong = labels[0] if labels[0] < 0 else labels[-1]
            raise fail("data-format", f"a record has the label {wrong}, but `{listing}` has {len(names)} names")
        return names
    called = {label: name for index in indices.values() for label, name in index.names.items()}
    if len(set(called.values())) < len(labels):
        called = {label: str(label) for label in labels}
    if len(labels) == 1:
        raise single_class(str(source), called[labels[0]])
    return {label: called[label] for label in labels}


def _check_shards(source: Path, files: Sequence[Path]) -> None:
    """Raises data-format for a missing shard: `train-00001-of-00008` without `train-00000-of-00008`."""
    shards: dict[tuple[str, int], set[int]] = {}
    for file in files:
        if found := SHARD.search(file.name):
            shards.setdefault((file.name[: found.start()], int(found["count"])), set()).add(int(found["number"]))
    for (start, count), numbers in shards.items():
        if missing := sorted(set(range(count)) - numbers):
            fact = f"{len(missing):,} of the {count:,} files `{start}-...-of-{count:05}` are missing in `{source}`"
            raise fail("data-format", fact, notes=[f"the first one is {start}-{missing[0]:05}-of-{count:05}"])
