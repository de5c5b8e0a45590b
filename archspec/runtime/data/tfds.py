"""Data sets that TensorFlow Datasets prepares: `tfds:NAME`, read from the TFRecord files that it leaves."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.data.images import Report
from archspec.runtime.data.select import Parts
from archspec.runtime.data.tfrecord import open_tfrecords, record_files

PREFIX = "tfds:"
VERSION = re.compile(r"\d+\.\d+\.\d+")
NAME = re.compile(r"[\w.-]+(/[\w.-]+)*")


def open_tfds(source: str, report: Report) -> Parts:
    """The images of `tfds:NAME` or `tfds:NAME/CONFIG`, prepared before or now, where tensorflow_datasets is installed.

    They are looked for in TFDS_DATA_DIR, by default ~/tensorflow_datasets, the latest version first. Raises
    data-not-found, missing-package, download, and what `open_tfrecords` raises.
    """
    name = source.removeprefix(PREFIX)
    if not NAME.fullmatch(name) or ".." in name.split("/"):
        raise fail("data-not-found", f"`{source}` names no data set", help="write `tfds:NAME` or `tfds:NAME/CONFIG`")
    folder = prepared(name) or _prepare(source, name)
    if not record_files(folder):
        fact = f"`{folder}` has no TFRecord files"
        raise fail("data-format", fact, help="prepare it as such: `tfds build --file_format=tfrecord`")
    return open_tfrecords(folder, report)


def prepared(name: str) -> Path | None:
    """The folder of the latest version that is there; None when there is none."""
    root = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets") / name
    versions = [each for each in root.iterdir() if VERSION.fullmatch(each.name)] if root.is_dir() else []
    return max(versions, key=lambda each: tuple(map(int, each.name.split("."))), default=None)


def _prepare(source: str, name: str) -> Path:
    try:
        import tensorflow_datasets  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        fact = f"`{source}` is not prepared here, and tensorflow_datasets, which would prepare it, is not installed"
        help = "`pip install tensorflow-datasets`, or set TFDS_DATA_DIR to the folder where it is prepared"
        raise fail("missing-package", fact, help=help) from error
    try:
        builder: Any = tensorflow_datasets.builder(name, file_format="tfrecord")
        builder.download_and_prepare()
        return Path(builder.data_path)
    except Exception as error:  # what the network, the disk or the data set makes it raise has no common class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        notes = [f"TensorFlow Datasets says: {reason[:300]}"]
        raise fail("download", f"cannot prepare `{source}`", notes=notes) from error
