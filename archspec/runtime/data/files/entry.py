"""One encoded image, a file or a part of one, and what is known of it."""

from __future__ import annotations

import hashlib
import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.contents import read_part
from archspec.runtime.data.files.header import Header, read_file, unreadable_file
from archspec.runtime.data.files.moments import COUNT
from archspec.runtime.data.images import DIGEST, Images

Stamp = tuple[int, int, int]
"""Bytes of a file, time of its last change, and time of the last change of that or of anything else that the system
keeps of it, ns: the first time can be set back, the second cannot."""
GONE: Stamp = (-1, 0, 0)
"""Of a file that is not there."""


class Item(NamedTuple):
    """An encoded image: `length` bytes of a file from `offset` on, or all of it where `length` is -1."""

    file: str
    offset: int = 0
    length: int = -1


class Entry(NamedTuple):
    """One image. `reason` says why it is bad, and is empty when it is not; then the rest holds."""

    stamp: Stamp
    """Of its file: an entry holds for as long as that stays."""
    digest: bytes
    """Of the encoded bytes, `digest_of`; zeros where they could not be read."""
    reason: str
    format: str
    height: int
    width: int
    orientation: int
    mode: str
    """Of its Header."""
    transparent: bool
    """Whether a pixel of it is not opaque."""
    moments: npt.NDArray[np.float64]

    @property
    def in_part(self) -> bool:
        """Whether a window of it can be decoded alone."""
        return not self.reason and Header(self.height, self.width, self.format, self.orientation).in_part


def bad_entry(stamp: Stamp, digest: bytes, reason: str) -> Entry:
    """Of an image that cannot serve."""
    return Entry(stamp, digest, reason, "", 0, 0, 1, "", False, np.zeros(COUNT))


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


def digest_of(contents: bytes) -> bytes:
    """The first half of SHA-256, 16 bytes."""
    return hashlib.sha256(contents).digest()[:DIGEST]


def stamp_of(file: str) -> Stamp:
    """The Stamp of a file."""
    try:
        status = os.stat(file)
    except OSError:
        return GONE
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
