"""Whether image files are still what they were when they were opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.entry import Item, digest_of, items_of, read_item, stamp_of
from archspec.runtime.data.files.examine import named
from archspec.runtime.data.files.header import BadImageError
from archspec.runtime.data.files.scan import NAMED
from archspec.runtime.data.images import Images

CHUNK = 256  # files a task


class Unchanged:
    """Images in files, to be looked at again: those whose size or times are others are read, and compared."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._stamps = None if images.stamps is None else images.stamps.copy()

    def changed(self, rows: npt.NDArray[np.integer[Any]] | slice = slice(None)) -> list[str]:
        """The first ten of these images whose contents are others, and why; none for images in memory."""
        stamps, digests = self._stamps, self._images.digests
        if self._images.files is None or stamps is None or digests is None:
            return []
        numbers = np.arange(len(self._images))[rows]
        items = items_of(self._images.only(numbers))
        now = _stamps([item.file for item in items])
        found: list[str] = []
        for i in np.flatnonzero((now != stamps[numbers]).any(axis=1)).tolist():
            reason = _reason(items[i], digests[numbers[i]].tobytes())
            if not reason:
                stamps[numbers[i]] = now[i]  # touched, and not read again for that
                continue
            found.append(f"{named(items[i])}: {reason}")
            if len(found) == NAMED:
                break
        return found


def _reason(item: Item, digest: bytes) -> str:
    try:
        return "" if digest_of(read_item(item)) == digest else "other contents than when it was first read"
    except BadImageError as bad:
        return str(bad)


def _stamps(files: Sequence[str]) -> npt.NDArray[np.int64]:
    """int64 (N, 3); in parallel, for the sake of files on another machine."""
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        each = pool.map(lambda chunk: [stamp_of(file) for file in chunk], chunks)
        return np.array([stamp for chunk in each for stamp in chunk], np.int64).reshape(-1, 3)
