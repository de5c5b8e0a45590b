"""Examples of TFRecord files, as tests write them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image


def example(**values: Any) -> bytes:
    def feature(value: Any) -> tf.train.Feature:
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    features = {key.replace("__", "/"): feature(value) for key, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()  # type: ignore[no-any-return]


def records(path: Path, *contents: bytes) -> str:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in contents:
            writer.write(each)
    return str(path)


def png(level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), level, np.uint8)).save(stream, "PNG")
    return stream.getvalue()
