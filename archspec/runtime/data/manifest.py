"""What a folder of images holds: every file decoded once, and what was found kept for as long as it is unchanged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.decode import FORMATS, BadImageError, header, read_image
from archspec.runtime.data.folder import listings
from archspec.runtime.data.images import Report
from archspec.runtime.data.moments import COUNT, Colours, colours, moments
from archspec.runtime.data.scan import INTERVAL, in_order, printable, quietly
from archspec.runtime.write import atomic

VERSION = 1
"""Of the files that keep manifests: one of another version is made anew."""


class Entry(NamedTuple):
    """One file. `reason` says why it is bad, and is empty when it is not; then the rest holds."""

    stamp: tuple[int, int]
    """Bytes and time of the last change, ns: an entry holds for as long as they stay."""
    reason: str
    format: str
    height: int
    width: int
    orientation: int
    moments: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """`train`, `val`, or "" for data in one piece: classes, files, labels (N,), entries."""

    classes: list[str]
    files: list[str]
    labels: npt.NDArray[np.int32]
    entries: list[Entry]


@dataclass(frozen=True)
class Manifest:
    """A folder with every file decoded once."""

    folder: Path
    parts: dict[str, Part]
    decoded: int
    """Files that were decoded now, because they were new or changed."""

    @property
    def bad(self) -> list[tuple[str, str]]:
        """Files that cannot be read as images, and why."""
        each = (pair for part in self.parts.values() for pair in zip(part.files, part.entries, strict=True))
        return [(printable(file), entry.reason) for file, entry in each if entry.reason]

    @property
    def colours(self) -> Colours | None:
        """Over the good images of the training part, or of all where it is in one piece; grey ones count as RGB."""
        part = self.parts.get("train") or next(iter(self.parts.values()))
        return colours(sum((entry.moments for entry in part.entries), np.zeros(COUNT)))

    def to_json(self) -> dict[str, Any]:
        """Counts, sizes, formats, bad files, and the colours of the training images."""
        good = [entry for part in self.parts.values() for entry in part.entries if not entry.reason]
        found = self.colours
        return {
            "folder": str(self.folder),
            "images": len(good),
            "bad": [{"file": file, "reason": reason} for file, reason in self.bad],
            "parts": {name: dict(_class_counts(part)) for name, part in self.parts.items()},
            "formats": dict(Counter(entry.format for entry in good)),
            "height": _spread([entry.height for entry in good]),
            "width": _spread([entry.width for entry in good]),
            "turned_by_exif": sum(entry.orientation != 1 for entry in good),
            "mean": found and found.mean,
            "std": found and found.std,
            "pca_deviations": found and found.deviations,
            "pca_components": found and found.components,
        }


def _class_counts(part: Part) -> Iterator[tuple[str, int]]:
    good = [label for label, entry in zip(part.labels.tolist(), part.entries, strict=True) if not entry.reason]
    counts = Counter(good)
    return ((printable(name), counts[label]) for label, name in enumerate(part.classes))


def _spread(values: list[int]) -> dict[str, float] | None:
    if not values:
        return None
    return {"least": min(values), "median": float(np.median(values)), "greatest": max(values)}


def make_manifest(folder: str | Path, *, report: Report, keep: bool = True) -> Manifest:
    """The manifest of a folder, `train/` and `val/` with one sub-folder a class, or the classes themselves.

    keep: read and write what is known of unchanged files, in the user's cache folder.
    Raises data-not-found, data-empty, data-one-class.
    """
    folder = Path(folder)
    found = listings(folder, report)
    place = _place(folder)
    known = _read(place) if keep else {}
    files = [file for _, listed, _ in found.values() for file in listed]
    stamps = [_stamp(file) for file in files]
    entries = {
        file: known[file]
        for file, stamp in zip(files, stamps, strict=True)
        if file in known and known[file].stamp == stamp
    }
    new = [(file, stamp) for file, stamp in zip(files, stamps, strict=True) if file not in entries]
    if new:
        entries |= _decode(new, report)
        if keep:
            _write(place, entries)
    parts = {
        name: Part(classes, listed, labels, [entries[file] for file in listed])
        for name, (classes, listed, labels) in found.items()
    }
    return Manifest(folder, parts, len(new))


def _decode(files: list[tuple[str, tuple[int, int]]], report: Report) -> dict[str, Entry]:
    """Entries of the files, decoded in parallel, with a line of progress now and then."""
    from archspec.runtime.quiet import import_tensorflow

    tf = import_tensorflow()

    def one(i: int) -> Entry:
        file, stamp = files[i]
        try:
            about = header(file)
            pixels = read_image(tf, file, 3)
            if pixels.shape[:2] != about[:2]:
                raise BadImageError("an image whose size is not what its header says")
        except BadImageError as bad:
            return Entry(stamp, str(bad), "", 0, 0, 1, np.zeros(COUNT))
        return Entry(stamp, "", about.format, about.height, about.width, about.orientation, moments(pixels))

    entries: dict[str, Entry] = {}
    told = time.monotonic()
    with (
        quietly(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
        contextlib.closing(in_order(pool, one, len(files))) as run,
    ):
        for (file, _), entry in zip(files, run, strict=True):
            entries[file] = entry
            if time.monotonic() - told > INTERVAL:
                told = time.monotonic()
                report(f"{len(entries):,} of {len(files):,} images read")
    return entries


def _stamp(file: str) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except OSError:
        return (-1, 0)  # decoding it will say why
    return status.st_size, status.st_mtime_ns


def _place(folder: Path) -> Path:
    """Where the manifest of a folder is kept."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return Path(root) / "archspec" / f"manifest-{digest}.npz"


def _write(place: Path, entries: dict[str, Entry]) -> None:
    """Kept where that can be written; elsewhere it is only made again."""
    numbers = [(*entry.stamp, entry.height, entry.width, entry.orientation) for entry in entries.values()]
    texts = [(file, entry.reason, entry.format) for file, entry in entries.items()]
    with contextlib.suppress(ArchspecError, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic(place) as temporary:
            np.savez_compressed(
                temporary,
                version=np.array(VERSION),
                numbers=np.array(numbers, np.int64),
                moments=np.stack([entry.moments for entry in entries.values()]),
                texts=np.frombuffer(b"\0".join(os.fsencode(text) for row in texts for text in row), np.uint8),
            )


def _read(place: Path) -> dict[str, Entry]:
    """What was kept; nothing when it is missing, damaged or of another version."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if int(kept["version"]) != VERSION:
                return {}
            numbers, sums = kept["numbers"].tolist(), kept["moments"]
            texts = [os.fsdecode(text) for text in kept["texts"].tobytes().split(b"\0")]
        rows = zip(texts[::3], texts[1::3], texts[2::3], numbers, sums, strict=True)
        return {
            file: Entry((size, changed), reason, format, height, width, turn, row)
            for file, reason, format, (size, changed, height, width, turn), row in rows
            if format in ("", *FORMATS) and row.shape == (COUNT,)
        }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
