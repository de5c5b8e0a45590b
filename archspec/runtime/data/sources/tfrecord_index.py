"""The index of TFRecord files: where each image is, and its label. It is cached as long as the files are unchanged."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.data.files.cache import cache_file, read_cache, write_cache
from archspec.runtime.data.files.encoded_image import stamp_of
from archspec.runtime.data.files.parallel_checks import INTERVAL, quietly
from archspec.runtime.data.images import Report
from archspec.runtime.data.tf_data import untuned
from archspec.runtime.system.tensorflow_import import import_tensorflow

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
    shards: list[int] = []
    spans: list[tuple[int, int]] = []
    labels: list[int] = []
    names: dict[int, str] = {}
    told = time.monotonic()
    for shard, file in enumerate(files):
        for offset, record in _records(tf, file):
            span, label, name = _example(tf, offset, record, f"record {len(labels) + 1:,} of `{file}`")
            shards.append(shard)
            spans.append(span)
            labels.append(label)
            if name:
                names[label] = name
            if time.monotonic() - told > INTERVAL:
                told = time.monotonic()
                report(f"{len(labels):,} records found in {shard + 1:,} of {len(files):,} files")
    return Index(
        np.array(shards, np.int32), np.array(spans, np.int64).reshape(-1, 2), np.array(labels, np.int64), names
    )


def _records(tf: Any, file: Path) -> Iterator[tuple[int, bytes]]:
    """The offset and the bytes of each record. Raises data-format."""
    offset = 0
    try:
        for record in untuned(tf.data.TFRecordDataset(os.fsencode(file))).as_numpy_iterator():
            yield offset + HEADER, record
            offset += HEADER + len(record) + FOOTER
    except tf.errors.DataLossError as error:
        with file.open("rb") as opened:
            compressed = opened.read(2).startswith((b"\x1f\x8b", b"\x78"))
        help = "decompress it first" if compressed else None
        if "truncated" in str(error):
            raise fail("data-format", f"`{file}` is truncated in the record at byte {offset:,}", help=help) from error
        where = f"the record at byte {offset:,} is damaged" if offset else "it does not begin with a record"
        raise fail("data-format", f"`{file}` is not a TFRecord file: {where}", help=help) from error


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
            notes = [f"its features are {listed(f'`{key}`' for key in sorted(features)) or 'none'}"]
            fact = f"{where} has no feature `{keys[0]}` or `{keys[1]}` with {what}"
            raise fail("data-format", fact, notes=notes)
    return (offset + record.index(image), len(image)), label, name.decode("utf-8", "replace") if name else ""
