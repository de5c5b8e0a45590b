"""Image files inside TFRecord files: the layouts of ImageNet and of TensorFlow Datasets.

The index of the files says where each image is, and its label. It is cached as long as the files are unchanged.
"""

from __future__ import annotations

import os
import re
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError, counted, fail, listed, printable
from archspec.runtime.data.files.encoded_image import stamp_of
from archspec.runtime.data.files.image_facts import INTERVAL, cache_file, quietly, read_cache, write_cache
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.parts import KINDS, Parts
from archspec.runtime.data.sources.source import DataSource
from archspec.runtime.data.tf_data import untuned
from archspec.runtime.system.tensorflow_import import import_tensorflow

SHARD = re.compile(r"-(?P<number>\d{5,6})-of-(?P<count>\d{5,6})$")
OTHER_FORMATS = re.compile(r"\.(array_record|riegeli|bagz)(-|$)")
"""In the names of files that TensorFlow Datasets writes in other formats."""
WORDS = tuple(word for words in KINDS.values() for word in words)


class TFRecords(DataSource):
    """TFRecords with `image/encoded` and `image/class/label`, as for ImageNet, or with `image` and `label`.

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


def record_files(folder: Path) -> list[Path]:
    """The TFRecord files directly in a folder, by name."""
    return sorted(each for each in folder.iterdir() if _is_record_file(each) and each.is_file())


def open_records(source: Path, report: Report, splits: Sequence[str] = ()) -> Parts:
    """The images of a TFRecord file, or of all TFRecord files in a folder.

    Args:
        source: the file or folder.
        report: receives progress.
        splits: words in the names of files that stand for other parts than `train`, `val` and so on.

    Raises:
        ArchspecError: data-format, data-empty.
    """
    files = record_files(source) if source.is_dir() else [source]
    if other := next((found[1] for file in files if (found := OTHER_FORMATS.search(file.name))), None):
        raise fail(
            "data-format",
            f"`{source}` has the format {other}, but archspec reads TFRecord",
            help="prepare the data set again in another folder, with `file_format=tfrecord`",
        )
    words = "|".join(re.escape(word) for word in sorted({*splits, *WORDS}, key=len, reverse=True))
    part_of = re.compile(rf"(?:^|[-_.])({words})\d*(?=[-_.]|$)", re.IGNORECASE)
    parts: dict[str, list[Path]] = {}
    for file in files:
        found = part_of.search(file.name) if source.is_dir() else None
        parts.setdefault(found[1].lower() if found else "", []).append(file)
    unused = [file.name for file in parts.pop("")] if "" in parts and len(parts) > 1 else []
    if source.is_dir():
        for own in parts.values():
            _check_shards(source, own)
    indices = {part: index_of(own, report) for part, own in parts.items()}
    names = _class_names(source, indices)
    number_of = {label: number for number, label in enumerate(names)}
    images = {part: _images(names, number_of, parts[part], index) for part, index in indices.items()}
    return Parts.of(images, unused=unused)


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
    called: dict[int, str] = {}
    for index in indices.values():
        for label, name in index.names.items():
            if called.setdefault(label, name) != name:
                raise two_names(str(source), label, called[label], name)
    listing = (source if source.is_dir() else source.parent) / "label.labels.txt"
    if listing.is_file():
        try:
            names = dict(enumerate(listing.read_text(encoding="utf-8").splitlines()))
        except UnicodeDecodeError:
            raise fail("data-format", f"`{listing}` is not UTF-8 text", help="save it as UTF-8") from None
        if labels[-1] >= len(names) or labels[0] < 0:
            wrong = labels[0] if labels[0] < 0 else labels[-1]
            raise fail("data-format", f"a record has the label {wrong}, but `{listing}` has {len(names)} names")
        for label, name in called.items():
            if name != names[label] and name in names.values():
                raise two_names(str(listing), label, name, names[label])
        return names
    if len(set(called.values())) < len(labels):
        called = {label: str(label) for label in labels}
    return {label: called[label] for label in labels}


def two_names(place: str, label: int, one: str, other: str) -> ArchspecError:
    """The error for a class number with two names, such as in records of parts that were numbered apart."""
    return fail(
        "data-format",
        f"`{printable(place)}` has two names for the label {label}: `{printable(one)}` and `{printable(other)}`",
        help="write the records again, with one number for each class in all files",
    )


def _check_shards(source: Path, files: Sequence[Path]) -> None:
    """Raises data-format for a missing shard: `train-00001-of-00008` without `train-00000-of-00008`."""
    shards: dict[tuple[str, int], set[int]] = {}
    for file in files:
        if found := SHARD.search(file.name):
            shards.setdefault((file.name[: found.start()], int(found["count"])), set()).add(int(found["number"]))
    for (start, count), numbers in shards.items():
        if missing := sorted(set(range(count)) - numbers):
            raise fail(
                "data-format",
                f"{len(missing):,} of the {count:,} files `{start}-...-of-{count:05}` are missing in `{source}`",
                notes=[f"the first one is {start}-{missing[0]:05}-of-{count:05}"],
            )


VERSION = 2
"""Of the format of the cache; a cache of another version is ignored."""
IMAGE = ("image/encoded", "image")
LABEL = ("image/class/label", "label")
NAME = ("image/class/synset", "image/class/text")
HEADER = 12  # bytes before a record: its length and the checksum of the length
FOOTER = 4  # bytes after it: its checksum


@dataclass(frozen=True)
class Index:
    """The images of some files.

    Attributes:
        shards: int32 (N,), the number of the file of each image.
        spans: int64 (N, 2), offset and length in bytes of the encoded image in that file.
        labels: int64 (N,), as in the records.
        names: the class name of each label; empty if the records have none.
    """

    shards: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    names: dict[int, str]


def index_of(files: Sequence[Path], report: Report) -> Index:
    """The index of the files. Raises data-format."""
    names = np.array([os.fsencode(file.name) for file in files])
    stamps = np.array([stamp_of(str(file)) for file in files], np.int64)
    cache = cache_file(files[0]).with_suffix(".records.npz")
    index = _cached(cache, names, stamps)
    if index is None:
        with quietly():
            index = _read_records(files, report)
        write_cache(
            cache,
            VERSION,
            files=names,
            stamps=stamps,
            shards=index.shards,
            spans=index.spans,
            labels=index.labels,
            named=np.array(list(index.names), np.int64),
            names=np.array([name.encode() for name in index.names.values()] or [b""]),
        )
    return index


def _cached(cache: Path, names: npt.NDArray[Any], stamps: npt.NDArray[np.int64]) -> Index | None:
    arrays = read_cache(cache, VERSION) or {}
    try:
        if not np.array_equal(arrays["stamps"], stamps) or not np.array_equal(arrays["files"], names):
            return None
        class_names = dict(zip(arrays["named"].tolist(), map(bytes.decode, arrays["names"].tolist()), strict=False))
        return Index(arrays["shards"], arrays["spans"], arrays["labels"], class_names)
    except (KeyError, ValueError, TypeError):
        return None


def _read_records(files: Sequence[Path], report: Report) -> Index:
    tf = import_tensorflow()
    rows: list[tuple[int, int, int, int]] = []
    names: dict[int, str] = {}
    told = time.monotonic()
    for shard, file in enumerate(files):
        for offset, record in _records(tf, file):
            span, label, name = _example(tf, offset, record, f"record {len(rows) + 1:,} of `{file}`")
            rows.append((shard, *span, label))
            if name and names.setdefault(label, name) != name:
                raise two_names(str(file), label, names[label], name)
            if time.monotonic() - told > INTERVAL:
                told = time.monotonic()
                report(f"{counted(len(rows), 'record')} found in {shard + 1:,} of {counted(len(files), 'file')}")
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Index(table[:, 0].astype(np.int32), table[:, 1:3], table[:, 3], names)


def _records(tf: Any, file: Path) -> Iterator[tuple[int, bytes]]:
    """The offset and the bytes of each record. Raises data-format."""
    offset = 0
    stop = _first_long_record(file)
    try:
        if stop == 0:
            raise _cut_off(file, 0)
        for record in untuned(tf.data.TFRecordDataset(os.fsencode(file))).as_numpy_iterator():
            yield offset + HEADER, record
            offset += HEADER + len(record) + FOOTER
            if offset == stop:
                raise _cut_off(file, offset)
    except tf.errors.OpError as error:  # of several kinds for lengths that cannot be right
        with file.open("rb") as opened:
            compressed = opened.read(2).startswith((b"\x1f\x8b", b"\x78"))
        help = "decompress it first" if compressed else None
        if "truncated" in str(error):
            raise _cut_off(file, offset, help) from error
        where = f"the record at byte {offset:,} is damaged" if offset else "it does not begin with a record"
        raise fail("data-format", f"`{file}` is not a TFRecord file: {where}", help=help) from error


def _cut_off(file: Path, offset: int, help: str | None = None) -> ArchspecError:
    return fail("data-format", f"`{file}` is truncated in the record at byte {offset:,}", help=help)


def _first_long_record(file: Path) -> int | None:
    """Where the first record begins whose length, with the right checksum, exceeds the file; TensorFlow would crash."""
    size, offset = file.stat().st_size, 0
    with file.open("rb") as opened:
        while len(header := opened.read(HEADER)) == HEADER:
            length, checksum = struct.unpack("<QI", header)
            after = offset + HEADER + length + FOOTER
            if after > size:
                return offset if checksum == masked_crc(header[:8]) else None
            offset = after
            opened.seek(offset)
    return None


def masked_crc(contents: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C (RFC 3720, appendix B.4), rotated by 15 bits and shifted."""
    crc = 0xFFFFFFFF
    for byte in contents:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _example(tf: Any, offset: int, record: bytes, where: str) -> tuple[tuple[int, int], int, str]:
    """The span of the encoded image in the file, the label, and the class name or ""."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]

    try:
        features = tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise fail("data-format", f"{where} is not a tf.train.Example") from error

    def value(keys: Sequence[str], kind: str) -> Any:
        values: Any = next((getattr(features[key], kind).value for key in keys if key in features), ())
        return values[0] if len(values) == 1 else None

    image, label, name = value(IMAGE, "bytes_list"), value(LABEL, "int64_list"), value(NAME, "bytes_list")
    for found, keys, what in ((image, IMAGE, "one byte string"), (label, LABEL, "one integer")):
        if found is None:
            raise fail(
                "data-format",
                f"{where} has no feature `{keys[0]}` or `{keys[1]}` with {what}",
                notes=[f"its features are {listed(f'`{key}`' for key in sorted(features)) or 'none'}"],
            )
    return (offset + record.index(image), len(image)), label, name.decode("utf-8", "replace") if name else ""
