"""The bytes of encoded images: EncodedImage, an image file or a part of a file."""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

from archspec.diagnostics import printable
from archspec.runtime.data.files.header import opened
from archspec.runtime.data.images import DIGEST, Images

Stamp = tuple[int, int, int]
"""Size in bytes, mtime and ctime in ns of a file. A program can set mtime back, but not ctime."""
MISSING: Stamp = (-1, 0, 0)
"""The stamp of a file that does not exist."""


class EncodedImage(NamedTuple):
    """Where an encoded image is: `length` bytes of a file from `offset`, or the whole file if `length` is -1."""

    file: str
    offset: int = 0
    length: int = -1

    def __str__(self) -> str:
        return printable(self.file) + (f" at byte {self.offset:,}" if self.length >= 0 else "")

    def read(self) -> bytes:
        """The encoded bytes. Raises BadImageError."""
        with opened(self.file) as file:
            file.seek(self.offset)
            return file.read(self.length)


def encoded_images(images: Images) -> list[EncodedImage]:
    """The images of `files`, in their order."""
    if images.spans is None:
        return [EncodedImage(file) for file in images.files or ()]
    return [EncodedImage(file, *span) for file, span in zip(images.files or (), images.spans.tolist(), strict=True)]


def reader(tf: Any, images: Images) -> Any:
    """The function from a row number, a scalar tensor, to the encoded bytes of its image, a scalar string tensor."""
    with tf.device("/cpu:0"):
        files = tf.constant([os.fsencode(file) for file in images.files or ()])
        spans = None if images.spans is None else tf.constant(images.spans)
    if spans is None:
        return lambda row: tf.io.read_file(files[row])

    def read(row: Any) -> Any:
        part = tf.numpy_function(_read_part, (files[row], spans[row]), tf.string, stateful=False)
        return tf.ensure_shape(part, ())

    return read


def _read_part(name: bytes, span: Any) -> bytes:
    offset, length = map(int, span)
    try:
        with open(name, "rb") as file:
            file.seek(offset)
            return file.read(length)
    except OSError:
        return b""  # no decoder accepts it


def digest_of(contents: bytes) -> bytes:
    """The first half of SHA-256: 16 bytes."""
    return hashlib.sha256(contents).digest()[:DIGEST]


def stamp_of(file: str) -> Stamp:
    """The stamp of a file."""
    try:
        status = os.stat(file)
    except OSError:
        return MISSING
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
