"""What an evaluation has found so far, on the disk after every batch: a crash loses no more than the one under way.

A journal is a file of records that are only ever appended: rows of images with their posteriors, and a checksum. A
record that a crash cut off, or that the disk lost, ends what counts when the journal is opened again.
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
"""Of a record: a word that marks it, how many rows it has, their seconds, and the CRC-32 of all but itself."""
MARK = b"rows"
MONTH = 30 * 86400  # seconds after which a journal that nobody went on with is forgotten


class Journal:
    """The posteriors (images, classes), float32, of what is done; made by `journal`."""

    def __init__(self, count: int, classes: int, file: BinaryIO | None = None) -> None:
        self.posteriors = np.zeros((count, classes), np.float32)
        self.done = np.zeros(count, bool)
        self._paces: list[tuple[int, float]] = []
        self._file = file
        if file is not None:
            self._read(file)

    @property
    def images_per_second(self) -> float | None:
        """Over all processes that wrote here, without the first batch of each where there are others; None for none."""
        paces = [pace for pace in self._paces if not math.isnan(pace[1])]
        seconds = sum(pace[1] for pace in paces)
        return sum(pace[0] for pace in paces) / seconds if seconds else None

    def add(self, rows: npt.NDArray[np.int64], posteriors: npt.NDArray[np.float32], seconds: float) -> None:
        """Keep the posteriors of some rows, in memory and on the disk; `seconds` that they took, NaN to leave out."""
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
        except OSError:  # a full disk: the evaluation itself goes on
            self._file = None

    def _read(self, file: BinaryIO) -> None:
        """Take over the records that are whole, and cut off the rest."""
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
    """The journal of an evaluation, kept in the user's cache folder until `forget` is called with its key.

    key: plain values that say all that the posteriors depend on. Another process that evaluates the same meanwhile, or
    a folder that cannot be written, leave it in memory alone; the latter is reported.
    """
    path = _place(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    except OSError as error:
        report(f"partial results are not kept: cannot write `{path}`: {reason(error)}")
        yield Journal(count, classes)
        return
    with file:
        if not _locked(file):
            report("the same evaluation is under way in another process: this one keeps no partial results")
            yield Journal(count, classes)
            return
        file.seek(0)
        yield Journal(count, classes, file)


def forget(*keys: Any) -> None:
    """Remove the journals of these keys, and those that have lain untouched for a month."""
    for key in keys:
        discard(_place(key))
    with contextlib.suppress(OSError):
        for path in _folder().glob("*.rows"):
            if time.time() - path.stat().st_mtime > MONTH:
                discard(path)


def _locked(file: BinaryIO) -> bool:
    """Whether this process now is the one that writes the file, until it closes it."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
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
