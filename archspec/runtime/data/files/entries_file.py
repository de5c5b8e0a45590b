"""The file that keeps what is known of the images of a source, in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.cache import keep
from archspec.runtime.data.files.entry import Entry, Item
from archspec.runtime.data.files.header import FORMATS
from archspec.runtime.data.files.moments import COUNT
from archspec.runtime.data.images import DIGEST

VERSION = 4
"""Of the files that keep entries: one of another version is made anew."""


def place_of(source: str | Path) -> Path:
    """Where the entries of a source are kept: a file in ARCHSPEC_CACHE, by default in the user's cache folder."""
    root = os.environ.get("ARCHSPEC_CACHE")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "archspec")
    digest = hashlib.sha256(os.fsencode(Path(source).resolve())).hexdigest()[:16]
    return Path(root) / f"manifest-{digest}.npz"


def write_entries(place: Path, entries: dict[Item, Entry]) -> None:
    """Kept where that can be written; elsewhere it is only made again."""
    numbers = [
        (*item[1:], *entry.stamp, entry.height, entry.width, entry.orientation, entry.transparent)
        for item, entry in entries.items()
    ]
    texts = [(item.file, entry.reason, entry.format, entry.mode) for item, entry in entries.items()]
    digests = np.frombuffer(b"".join(entry.digest for entry in entries.values()), np.uint8)
    keep(
        place,
        VERSION,
        numbers=np.array(numbers, np.int64),
        digests=digests.reshape(-1, DIGEST),
        moments=np.stack([entry.moments for entry in entries.values()]),
        texts=_joined(text for row in texts for text in row),
    )


def _joined(texts: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"\0".join(os.fsencode(text) for text in texts), np.uint8)


def read_entries(place: Path) -> dict[Item, Entry]:
    """What was kept; nothing when it is missing, damaged or of another version."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            if int(kept["version"]) != VERSION:
                return {}
            numbers, sums, digests = kept["numbers"].tolist(), kept["moments"], kept["digests"]
            texts = [os.fsdecode(text) for text in kept["texts"].tobytes().split(b"\0")]
        rows = zip(*(texts[start::4] for start in range(4)), numbers, digests, sums, strict=True)
        return {
            Item(name, offset, length): Entry(
                tuple(stamp), digest.tobytes(), reason, format, height, width, turn, mode, bool(clear), row
            )
            for name, reason, format, mode, (offset, length, *stamp, height, width, turn, clear), digest, row in rows
            if format in ("", *FORMATS) and row.shape == (COUNT,) and digest.shape == (DIGEST,)
        }
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
