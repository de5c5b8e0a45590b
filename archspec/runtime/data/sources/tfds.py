"""Data sets of TensorFlow Datasets: `tfds:NAME`, read from the TFRecord files that it prepares."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.runtime.data.images import Report
from archspec.runtime.data.sources.parts import Parts
from archspec.runtime.data.sources.source import DataSource, download_failed
from archspec.runtime.data.sources.tfrecord import open_records, record_files
from archspec.runtime.system.tensorflow_import import import_tensorflow

VERSION = re.compile(r"\d+\.\d+\.\d+")
NAME = re.compile(r"(?P<name>[\w.-]+(/[\w.-]+)*)(:(?P<version>\d+\.\d+\.\d+))?")


class Tfds(DataSource):
    """A data set of TensorFlow Datasets with the features `image` and `label`; prepared if it is not yet.

    The data set is read from TFDS_DATA_DIR, by default ~/tensorflow_datasets, and prepared there if tensorflow_datasets
    is installed. By default the latest version there, of the default configuration, is read.
    """

    name = "tfds"
    forms = ("tfds:NAME[/CONFIG][:VERSION]",)
    prefix = "tfds:"
    extra = "tfds"

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        found = NAME.fullmatch(data.removeprefix(self.prefix))
        if not found or ".." in found["name"].split("/"):
            raise fail("data-not-found", f"`{data}` does not name a data set", help=f"write `{self.forms[0]}`")
        folder = prepared(found["name"], found["version"]) or self._prepare(data, found["name"], found["version"])
        if not record_files(folder):
            raise fail(
                "data-format",
                f"`{folder}` has no TFRecord files",
                help="set TFDS_DATA_DIR to another folder, and prepare the data set with `file_format=tfrecord`",
            )
        return open_records(folder, report, _splits(folder))

    def _prepare(self, data: str, wanted: str, version: str | None) -> Path:
        import_tensorflow()  # before TensorFlow Datasets, to suppress the log lines of the import
        try:
            import tensorflow_datasets as tfds  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            alternative = "set TFDS_DATA_DIR to the folder where the data set is prepared"
            raise self.missing_package(data, "tensorflow_datasets", alternative) from error
        name, _, config = wanted.partition("/")
        try:
            kind: Any = tfds.builder_cls(name)
        except ValueError as error:  # not found, or no name at all
            near = did_you_mean(name, tfds.list_builders(with_community_datasets=False))
            raise fail("data-not-found", f"TensorFlow Datasets has no data set `{name}`", help=near) from error
        if config and config not in kind.builder_configs:
            there = listed(f"`{self.prefix}{name}/{each}`" for each in kind.builder_configs)
            help = did_you_mean(config, kind.builder_configs) or (
                f"its configurations are {there}" if there else f"write `{self.prefix}{name}`"
            )
            raise fail("data-not-found", f"the data set `{name}` has no configuration `{config}`", help=help)
        versions = [str(each) for each in (kind.VERSION, *(kind.SUPPORTED_VERSIONS or ())) if each is not None]
        if version and versions and version not in versions:
            there = listed(f"`{self.prefix}{wanted}:{each}`" for each in dict.fromkeys(versions))
            raise fail(
                "data-not-found", f"the data set `{wanted}` has no version {version}", help=f"the versions are {there}"
            )
        try:
            builder = kind(config=config or None, version=version, file_format="tfrecord")
            builder.download_and_prepare()
            return Path(builder.data_path)
        except Exception as error:  # network, disk and data sets raise errors without a common base class
            raise download_failed(
                f"cannot prepare `{data}`",
                "TensorFlow Datasets",
                error,
                "the catalog of TensorFlow Datasets lists the requirements of the data set",
            ) from error


def prepared(name: str, version: str | None) -> Path | None:
    """The folder of a version of a data set, by default the latest; None if it has not been prepared.

    name: with the configuration if one is given: `cats_vs_dogs`, `oxford_flowers102/small`.
    """
    root = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets") / name
    default = _read(root / ".config" / "metadata.json").get("default_config_name")
    for place in (root, *([root / default] if isinstance(default, str) else [])):
        versions = [each for each in place.iterdir() if VERSION.fullmatch(each.name)] if place.is_dir() else []
        versions = [each for each in versions if version in (None, each.name)]
        if versions:
            return max(versions, key=lambda each: tuple(map(int, each.name.split("."))))
    return None


def _splits(folder: Path) -> list[str]:
    """The names of the splits of a data set of several splits."""
    splits = _read(folder / "dataset_info.json").get("splits")
    names = [str(each.get("name")) for each in splits if isinstance(each, dict)] if isinstance(splits, list) else []
    return names if len(names) > 1 else []


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of TensorFlow Datasets; {} if it does not exist or is not a JSON object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
