"""Whether image files have changed since they were opened: ChangeDetector."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.encoded_image import EncodedImage, digest_of, encoded_images, stamp_of
from archspec.runtime.data.files.header import BadImageError
from archspec.runtime.data.files.parallel_checks import NAMED
from archspec.runtime.data.images import Images

CHUNK = 256  # files of a task


class ChangeDetector:
    """Finds changed image files: files with another size or time are read, and their digests compared."""

    def __init__(self, images: Images) -> None:
        self._images = images
        self._stamps = None if images.stamps is None else images.stamps.copy()

    def changed(self, rows: npt.NDArray[np.integer[Any]] | slice = slice(None)) -> list[str]:
        """The first ten of these images that have changed, and why; none of images in memory."""
        stamps, digests = self._stamps, self._images.digests
        if self._images.files is None or stamps is None or digests is None:
            return []
        numbers = np.arange(len(self._images))[rows]
        images = encoded_images(self._images.only(numbers))
        now = _stamps([image.file for image in images])
        found: list[str] = []
        for i in np.flatnonzero((now != stamps[numbers]).any(axis=1)).tolist():
            reason = _reason(images[i], digests[numbers[i]].tobytes())
            if not reason:
                stamps[numbers[i]] = now[i]  # the file was touched: do not read it again
                continue
            found.append(f"{images[i]}: {reason}")
            if len(found) == NAMED:
                break
        return found


def _reason(image: EncodedImage, digest: bytes) -> str:
    try:
        return "" if digest_of(image.read()) == digest else "its contents have changed"
    except BadImageError as bad:
        return str(bad)


def _stamps(files: Sequence[str]) -> npt.NDArray[np.int64]:
    """int64 (N, 3), in parallel: files of a network file system take long."""
    chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        stamps = pool.map(lambda chunk: [stamp_of(file) for file in chunk], chunks)
        return np.array([stamp for chunk in stamps for stamp in chunk], np.int64).reshape(-1, 3)
