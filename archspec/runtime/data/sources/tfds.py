"""Data sets that TensorFlow Datasets prepares: `tfds:NAME`, read from the TFRecord files that it leaves."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.data.images import Report
from archspec.runtime.data.pipeline.select import Parts
from archspec.runtime.data.sources.tfrecord import has_part, open_tfrecords, record_files
from archspec.runtime.system.tensorflow_import import import_tensorflow

PREFIX = "tfds:"
VERSION = re.compile(r"\d+\.\d+\.\d+")
NAME = re.compile(r"(?P<name>[\w.-]+(/[\w.-]+)*)(:(?P<version>\d+\.\d+\.\d+))?")
FORMS = "write `tfds:NAME`, `tfds:NAME/CONFIG` or `tfds:NAME/CONFIG:VERSION`"


class Wanted(NamedTuple):
    """What comes after `tfds:`."""

    name: str
    """Of the data set, with that of a configuration: `cats_vs_dogs`, `oxford_flowers102/small`."""
    version: str | None


def open_tfds(source: str, report: Report) -> Parts:
    """The images of `tfds:NAME`, `tfds:NAME/CONFIG` or `tfds:NAME/CONFIG:VERSION`, prepared before or now, where
    tensorflow_datasets is installed.

    They are looked for in TFDS_DATA_DIR, by default ~/tensorflow_datasets: without a configuration in the default one,
    without a version in the latest that is there. Raises data-not-found, missing-package, download, data-format, and
    what `open_tfrecords` raises.
    """
    found = NAME.fullmatch(source.removeprefix(PREFIX))
    if not found or ".." in found["name"].split("/"):
        raise fail("data-not-found", f"`{source}` names no data set", help=FORMS)
    wanted = Wanted(found["name"], found["version"])
    folder = prepared(wanted) or _prepare(source, wanted)
    _check_splits(source, folder)
    if not record_files(folder):
        help = "set TFDS_DATA_DIR to another folder, where it is prepared with `file_format=tfrecord`"
        raise fail("data-format", f"`{folder}` has no TFRecord files", help=help)
    return open_tfrecords(folder, report)


def prepared(wanted: Wanted) -> Path | None:
    """The folder of that version, or of the latest that is there; None when there is none."""
    root = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets") / wanted.name
    default = _read(root / ".config" / "metadata.json").get("default_config_name")
    for place in (root, *([root / default] if isinstance(default, str) else [])):
        versions = [each for each in place.iterdir() if VERSION.fullmatch(each.name)] if place.is_dir() else []
        versions = [each for each in versions if wanted.version in (None, each.name)]
        if versions:
            return max(versions, key=lambda each: tuple(map(int, each.name.split("."))))
    return None


def _check_splits(source: str, folder: Path) -> None:
    """Raises data-format when it has several splits of which none is for training or for validation."""
    splits = _read(folder / "dataset_info.json").get("splits")
    names = [str(each.get("name")) for each in splits if isinstance(each, dict)] if isinstance(splits, list) else []
    if len(names) > 1 and not any(map(has_part, names)):
        fact = f"`{source}` has the splits {listed(f'`{name}`' for name in names)}, and no `train` or `test`"
        help = f"copy or link the files of the one that you mean from `{folder}` into a folder, and give that"
        raise fail("data-format", fact, help=help)


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of TensorFlow Datasets; {} when there is none, or it is of another form."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _prepare(source: str, wanted: Wanted) -> Path:
    import_tensorflow()  # quietly, before TensorFlow Datasets does
    try:
        import tensorflow_datasets as tfds  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        fact = f"`{source}` is not prepared here, and tensorflow_datasets, which would prepare it, is not installed"
        help = "`pip install 'archspec-keras[tfds]'`, or set TFDS_DATA_DIR to the folder where it is prepared"
        raise fail("missing-package", fact, help=help) from error
    name, _, config = wanted.name.partition("/")
    try:
        kind: Any = tfds.builder_cls(name)
    except ValueError as error:  # not found, or no name at all
        near = did_you_mean(name, tfds.list_builders(with_community_datasets=False))
        raise fail("data-not-found", f"`{name}` is no data set of TensorFlow Datasets", help=near) from error
    if config and config not in kind.builder_configs:
        there = listed(f"`{PREFIX}{name}/{each}`" for each in kind.builder_configs)
        help = did_you_mean(config, kind.builder_configs) or (
            f"there are {there}" if there else f"write `{PREFIX}{name}`"
        )
        raise fail("data-not-found", f"`{name}` of TensorFlow Datasets has no configuration `{config}`", help=help)
    versions = [str(each) for each in (kind.VERSION, *(kind.SUPPORTED_VERSIONS or ())) if each is not None]
    if wanted.version and versions and wanted.version not in versions:
        help = f"there is {listed(f'`{PREFIX}{wanted.name}:{each}`' for each in dict.fromkeys(versions))}"
        raise fail("data-not-found", f"`{wanted.name}` cannot be prepared in version {wanted.version}", help=help)
    try:
        builder = kind(config=config or None, version=wanted.version, file_format="tfrecord")
        builder.download_and_prepare()
        return Path(builder.data_path)
    except Exception as error:  # what the network, the disk or the data set makes it raise has no common class
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        notes = [f"TensorFlow Datasets says: {reason[:300]}"]
        help = "its page in the catalog of TensorFlow Datasets says what it needs"
        raise fail("download", f"cannot prepare `{source}`", notes=notes, help=help) from error
