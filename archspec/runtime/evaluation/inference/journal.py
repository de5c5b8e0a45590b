"""The journal of an evaluation: its posteriors so far, written to disk after every batch.

A journal is an append-only file of records: rows of images with their posteriors, and a checksum. When it is opened
again, it is truncated before the first incomplete or damaged record.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.images import Report
from archspec.runtime.system.atomic_write import discard, reason

HEAD = struct.Struct("<4sIdI")
"""Header of a record: a mark, the number of rows, their seconds, and the CRC-32 of the rest of the record."""
MARK = b"rows"
MONTH = 30 * 86400
"""Seconds after which an abandoned journal is removed."""


class Journal:
    """The posteriors so far, float32 (images, classes), and which images are done; opened by `journal`."""

    def __init__(self, count: int, classes: int, file: BinaryIO | None = None) -> None:
        self.posteriors = np.zeros((count, classes), np.float32)
        self.done = np.zeros(count, bool)
        self._paces: list[tuple[int, float]] = []
        self._file = file
        if file is not None:
            self._read(file)

    @property
    def images_per_second(self) -> float | None:
        """Throughput over all processes that wrote the journal; None without a timed batch."""
        paces = [pace for pace in self._paces if not math.isnan(pace[1])]
        seconds = sum(pace[1] for pace in paces)
        return sum(pace[0] for pace in paces) / seconds if seconds else None

    def add(self, rows: npt.NDArray[np.int64], posteriors: npt.NDArray[np.float32], seconds: float) -> None:
        """Add the posteriors of some rows, in memory and on disk.

        Args:
            seconds: time that they took; NaN to leave them out of the throughput.
        """
        self._paces.append((len(rows), seconds))
        self.posteriors[rows] = posteriors
        self.done[rows] = True
        if self._file is None:
            return
        body = rows.astype("<i8").tobytes() + self.posteriors[rows].astype("<f4").tobytes()
        try:
            self._file.write(HEAD.pack(MARK, len(rows), seconds, _checksum(len(rows), seconds, body)) + body)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:  # the disk is full: the evaluation continues without a journal
            self._file = None

    def _read(self, file: BinaryIO) -> None:
        """Read the records that are whole, and truncate the file after them."""
        count, classes = self.posteriors.shape
        end = 0
        while len(head := file.read(HEAD.size)) == HEAD.size:
            mark, length, seconds, checksum = HEAD.unpack(head)
            if mark != MARK or length > count:
                break
            body = file.read(length * (8 + 4 * classes))
            if len(body) < length * (8 + 4 * classes) or _checksum(length, seconds, body) != checksum:
                break
            rows = np.frombuffer(body, "<i8", length)
            self.posteriors[rows] = np.frombuffer(body, "<f4", offset=8 * length).reshape(length, classes)
            self.done[rows] = True
            self._paces.append((length, seconds))
            end = file.tell()
        file.seek(end)
        file.truncate()


def _checksum(length: int, seconds: float, body: bytes) -> int:
    return zlib.crc32(HEAD.pack(MARK, length, seconds, 0) + body)


@contextlib.contextmanager
def journal(key: Any, count: int, classes: int, report: Report) -> Iterator[Journal]:
    """Open the journal of an evaluation, a file in the user's cache folder until `forget` removes it.

    The journal is in memory only, which is reported, while another process writes the same one, and where the folder
    is not writable.

    Args:
        key: plain values that identify everything that the posteriors depend on.
    """
    path = _place(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        report(f"cannot save partial results: cannot write `{path}`: {reason(error)}")
        yield Journal(count, classes)
        return
    with file:
        if not _locked(file):
            report("another process runs the same evaluation: this one does not save partial results")
            yield Journal(count, classes)
            return
        file.seek(0)
        yield Journal(count, classes, file)


def forget(*keys: Any) -> None:
    """Remove the journals of these keys, and abandoned ones that are a month old."""
    for key in keys:
        discard(_place(key))
    with contextlib.suppress(OSError):
        for path in _folder().glob("*.rows"):
            if time.time() - path.stat().st_mtime > MONTH:
                discard(path)


def _locked(file: BinaryIO) -> bool:
    """Lock the file until it is closed. Returns whether no other process has locked it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(root) / "archspec" / "evaluations"


def _place(key: Any) -> Path:
    text = json.dumps(key, sort_keys=True, default=str)
    return _folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.rows"
