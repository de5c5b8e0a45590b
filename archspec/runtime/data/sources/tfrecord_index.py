"""Where each image is in TFRecord files, and its label: read once, and kept for as long as they are unchanged."""

from __future__ import annotations

import os
import struct
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail, listed
from archspec.runtime.data.files.cache import keep
from archspec.runtime.data.files.entries_file import place_of
from archspec.runtime.data.files.entry import stamp_of
from archspec.runtime.data.files.scan import INTERVAL
from archspec.runtime.data.images import Report
from archspec.runtime.system.tensorflow_import import import_tensorflow

VERSION = 2
"""Of the files that keep an index: one of another version is made anew."""
IMAGE = ("image/encoded", "image")
LABEL = ("image/class/label", "label")
NAME = ("image/class/synset", "image/class/text")
HEADER = 12  # bytes before a record: its length, and the checksum of that
FOOTER = 4  # bytes after it: its checksum


@dataclass(frozen=True)
class Index:
    """The images of some files.

    Attributes:
        shards: int32 (N,), which file each is in.
        spans: int64 (N, 2), offset and length in bytes of the encoded image in that file.
        labels: int64 (N,), as they stand in the records.
        names: what the records call a label; empty where they do not say.
    """

    shards: npt.NDArray[np.int32]
    spans: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    names: dict[int, str]


def index_of(files: Sequence[Path], report: Report) -> Index:
    """The Index of the files. Raises data-format."""
    stamps = np.array([stamp_of(str(file)) for file in files], np.int64)
    place = place_of(files[0]).with_suffix(".records.npz")
    known = _read(place, files, stamps)
    if known is not None:
        return known
    shards: list[int] = []
    spans: list[tuple[int, int]] = []
    labels: list[int] = []
    names: dict[int, str] = {}
    import_tensorflow()  # before the clock of the progress runs
    told = time.monotonic()
    for shard, file in enumerate(files):
        with file.open("rb") as opened:
            for offset, record in _records(opened, file):
                span, label, name = _example(offset, record, file, len(labels))
                shards.append(shard)
                spans.append(span)
                labels.append(label)
                if name:
                    names[label] = name
                if time.monotonic() - told > INTERVAL:
                    told = time.monotonic()
                    report(f"{len(labels):,} records found, in {shard + 1:,} of {len(files):,} files")
    index = Index(
        np.array(shards, np.int32), np.array(spans, np.int64).reshape(-1, 2), np.array(labels, np.int64), names
    )
    _write(place, files, stamps, index)
    return index


def _records(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """Each record's offset and bytes. Raises data-format."""
    size, offset = os.fstat(file.fileno()).st_size, 0
    while offset < size:
        start = file.read(HEADER)
        if len(start) < HEADER or struct.unpack("<I", start[8:])[0] != masked_crc(start[:8]):
            where = f"at byte {offset:,}" if offset else "it does not begin with a record"
            help = "decompress it first" if start.startswith((b"\x1f\x8b", b"\x78")) else None
            raise fail("data-format", f"`{path}` is no TFRecord file, or is damaged: {where}", help=help)
        (length,) = struct.unpack("<Q", start[:8])
        if offset + HEADER + length + FOOTER > size:
            raise fail("data-format", f"`{path}` is cut off in the record at byte {offset:,}")
        yield offset + HEADER, file.read(length)
        file.seek(FOOTER, os.SEEK_CUR)
        offset += HEADER + length + FOOTER


def _example(offset: int, record: bytes, path: Path, number: int) -> tuple[tuple[int, int], int, str]:
    """Where the encoded image is in the file; the label; what the record calls it."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]

    try:
        features = import_tensorflow().train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise fail("data-format", f"record {number + 1:,} of `{path}` is no tf.train.Example") from error

    def value(keys: Sequence[str], kind: str) -> Any:
        values: Any = next((getattr(features[key], kind).value for key in keys if key in features), ())
        return values[0] if len(values) == 1 else None

    image, label, name = value(IMAGE, "bytes_list"), value(LABEL, "int64_list"), value(NAME, "bytes_list")
    for found, keys, what in ((image, IMAGE, "one string of bytes"), (label, LABEL, "one whole number")):
        if found is None:
            fact = f"record {number + 1:,} of `{path}` has no `{keys[0]}` or `{keys[1]}` that is {what}"
            raise fail(
                "data-format", fact, notes=[f"it has {listed(f'`{key}`' for key in sorted(features)) or 'nothing'}"]
            )
    return (offset + record.index(image), len(image)), label, name.decode("utf-8", "replace") if name else ""


def masked_crc(data: bytes) -> int:
    """The checksum of TFRecord files: CRC-32C (RFC 3720, appendix B.4), rotated by 15 bits, plus a constant."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _write(place: Path, files: Sequence[Path], stamps: npt.NDArray[np.int64], index: Index) -> None:
    """Kept where that can be written; elsewhere it is only made again."""
    keep(
        place,
        VERSION,
        files=np.array([os.fsencode(file.name) for file in files]),
        stamps=stamps,
        shards=index.shards,
        spans=index.spans,
        labels=index.labels,
        named=np.array(list(index.names), np.int64),
        names=np.array([name.encode() for name in index.names.values()] or [b""]),
    )


def _read(place: Path, files: Sequence[Path], stamps: npt.NDArray[np.int64]) -> Index | None:
    """What was kept of these files; None when they have changed, or it is missing, damaged or of another version."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            same = int(kept["version"]) == VERSION and np.array_equal(kept["stamps"], stamps)
            if not same or kept["files"].tolist() != [os.fsencode(file.name) for file in files]:
                return None
            names = dict(zip(kept["named"].tolist(), (name.decode() for name in kept["names"].tolist()), strict=False))
            return Index(kept["shards"], kept["spans"], kept["labels"], names)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
