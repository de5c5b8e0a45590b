"""The bytes of encoded images, each a file or a part of one, by number."""

from __future__ import annotations

import os
from typing import Any

from archspec.runtime.data.images import Images


def reader(tf: Any, images: Images) -> Any:
    """The function of a row, a scalar tensor, that reads the encoded bytes of its image, a scalar string tensor."""
    with tf.device("/cpu:0"):
        files = tf.constant([os.fsencode(file) for file in images.files or ()])
        spans = None if images.spans is None else tf.constant(images.spans)
    if spans is None:
        return lambda row: tf.io.read_file(files[row])

    def read(row: Any) -> Any:
        part = tf.numpy_function(_read_part, (files[row], spans[row]), tf.string, stateful=False)
        return tf.ensure_shape(part, ())

    return read


def read_part(file: str, offset: int, length: int) -> bytes:
    """Some bytes of a file. Raises OSError."""
    with open(file, "rb") as opened:
        opened.seek(offset)
        return opened.read(length)


def _read_part(file: bytes, span: Any) -> bytes:
    try:
        return read_part(os.fsdecode(file), int(span[0]), int(span[1]))
    except OSError:
        return b""  # which no decoder takes
