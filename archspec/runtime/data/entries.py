"""What is known of every image file: each decoded once, and that kept for as long as the file is unchanged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import zipfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.contents import read_part
from archspec.runtime.data.decode import (
    FORMATS,
    BadImageError,
    Header,
    decode_bytes,
    header_of,
    read_file,
    unreadable_file,
)
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.moments import COUNT, moments
from archspec.runtime.data.scan import INTERVAL, in_order, quietly
from archspec.runtime.write import atomic

VERSION = 2
"""Of the files that keep entries: one of another version is made anew."""


class Item(NamedTuple):
    """An encoded image: `length` bytes of a file from `offset` on, or all of it where `length` is -1."""

    file: str
    offset: int = 0
    length: int = -1


class Entry(NamedTuple):
    """One image. `reason` says why it is bad, and is empty when it is not; then the rest holds."""

    stamp: tuple[int, int]
    """Bytes of the file and time of its last change, ns: an entry holds for as long as they stay."""
    reason: str
    format: str
    height: int
    width: int
    orientation: int
    moments: npt.NDArray[np.float64]

    @property
    def in_part(self) -> bool:
        """Whether a window of it can be decoded alone."""
        return not self.reason and Header(self.height, self.width, self.format, self.orientation).in_part


def items_of(images: Images) -> list[Item]:
    """The encoded images, in their order."""
    if images.spans is None:
        return [Item(file) for file in images.files or ()]
    return [Item(file, *span) for file, span in zip(images.files or (), images.spans.tolist(), strict=True)]


def read_item(item: Item) -> bytes:
    """The encoded bytes. Raises BadImageError."""
    if item.length < 0:
        return read_file(item.file)
    try:
        return read_part(*item)
    except OSError as error:
        raise unreadable_file(error, b"") from None


def entries_of(
    items: Sequence[Item], place: Path | None, report: Report, *, forget: bool = False
) -> tuple[list[Entry], int]:
    """The entries of the images, and how many were decoded now, because they were new or their files had changed.

    place: the file that keeps entries, of `place_of`; None keeps nothing.
    forget: whether other images than these leave that file.
    """
    known = _read(place) if place else {}
    stamps = {file: _stamp(file) for file in {item.file for item in items}}
    here = {item: known[item] for item in items if item in known and known[item].stamp == stamps[item.file]}
    new = [item for item in items if item not in here]
    if new:
        here |= _decode(new, [stamps[item.file] for item in new], report)
        if place:
            _write(place, here if forget else {**known, **here})
    return [here[item] for item in items], len(new)


def place_of(source: str | Path) -> Path:
    """Where the entries of a source are kept: a file in ARCHSPEC_CACHE, by default in the user's cache folder."""
    root = os.environ.get("ARCHSPEC_CACHE")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "archspec")
    digest = hashlib.sha256(os.fsencode(Path(source).resolve())).hexdigest()[:16]
    return Path(root) / f"manifest-{digest}.npz"


def _decode(items: Sequence[Item], stamps: Sequence[tuple[int, int]], report: Report) -> dict[Item, Entry]:
    """Entries of the images, decoded in parallel, with a line of progress now and then."""
    from archspec.runtime.quiet import import_tensorflow

    tf = import_tensorflow()

    def one(i: int) -> Entry:
        stamp = stamps[i]
        try:
            contents = read_item(items[i])
            about, pixels = header_of(contents), decode_bytes(tf, contents, 3)
            if pixels.shape[:2] != about[:2]:
                raise BadImageError("an image whose size is not what its header says")
        except BadImageError as bad:
            return Entry(stamp, str(bad), "", 0, 0, 1, np.zeros(COUNT))
        return Entry(stamp, "", about.format, about.height, about.width, about.orientation, moments(pixels))

    entries: dict[Item, Entry] = {}
    told = time.monotonic()
    # closing: an interrupt cancels what is queued
    with (
        quietly(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
        contextlib.closing(in_order(pool, one, len(items))) as run,
    ):
        for item, entry in zip(items, run, strict=True):
            entries[item] = entry
            if time.monotonic() - told > INTERVAL:
                told = time.monotonic()
                report(f"{len(entries):,} of {len(items):,} images read")
    return entries


def _stamp(file: str) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except OSError:
        return (-1, 0)  # decoding it will say why
    return status.st_size, status.st_mtime_ns


def _write(place: Path, entries: dict[Item, Entry]) -> None:
    """Kept where that can be written; elsewhere it is only made again."""
    numbers = [
        (*item[1:], *entry.stamp, entry.height, entry.width, entry.orientation) for item, entry in entries.items()
    ]
    texts = [(item.file, entry.reason, entry.format) for item, entry in entries.items()]
    with contextlib.suppress(ArchspecError, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic(place) as temporary:
            np.savez_compressed(
                temporary,
                version=np.array(VERSION),
                numbers=np.array(numbers, np.int64),
                moments=np.stack([entry.moments for entry in entries.values()]),
                texts=_joined(text for row in texts for text in row),
            )


def _joined(texts: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"\0".join(os.fsencode(text) for text in texts), np.uint8)


def _read(place: Path) -> dict[Item, Entry]:
    """What was kept; nothing when it is missing, damaged or of another version."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if int(kept["version"]) != VERSION:
                return {}
            numbers, sums = kept["numbers"].tolist(), kept["moments"]
            texts = [os.fsdecode(text) for text in kept["texts"].tobytes().split(b"\0")]
        rows = zip(texts[::3], texts[1::3], texts[2::3], numbers, sums, strict=True)
        return {
            Item(name, offset, length): Entry((size, changed), reason, format, height, width, turn, row)
            for name, reason, format, (offset, length, size, changed, height, width, turn), row in rows
            if format in ("", *FORMATS) and row.shape == (COUNT,)
        }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
