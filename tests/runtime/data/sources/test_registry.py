"""The registry of data sources: each has its help, DATA finds its source, and a plugin adds one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources import source as registry
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.data.sources.source import DATA_SOURCES, DataSource, Parts, data_sources, find_source


def test_every_source_has_a_form_and_one_line_of_help() -> None:
    for source in data_sources():
        assert source.forms, source.name
        assert source.summary().endswith("."), source.name
    assert data_sources()[-1].fallback
    assert [source.name for source in data_sources()].count("digits") == 1


def test_data_finds_its_source(tmp_path: Path) -> None:
    for folder in ("classes", "records", "table.csv"):
        (tmp_path / folder).mkdir()
    for file in ("DATA.NPZ", "table.parquet", "records/train-00000-of-00001", "x.tfrecord"):
        (tmp_path / file).touch()
    expected = {
        "digits": "digits",
        "keras:mnist": "keras",
        "tfds:mnist": "tfds",
        "classes": "folder",
        "records": "tfrecord",
        "table.csv": "folder",
        "DATA.NPZ": "npz",
        "table.parquet": "table",
        "x.tfrecord": "tfrecord",
    }
    for data, name in expected.items():
        path = data if data == "digits" or ":" in data else str(tmp_path / data)
        assert find_source(path).name == name, data
    for data, code in (("", "data-not-found"), (str(tmp_path / "no.npz"), "data-not-found"), (__file__, "data-format")):
        with pytest.raises(ArchspecError, match=code):
            find_source(data)


@pytest.fixture
def stripes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data source that archspec does not have."""
    known = data_sources()

    class Stripes(DataSource):
        """Images of stripes."""

        name = "stripes"
        forms = ("stripes:COUNT",)
        prefix = "stripes:"

        def open(self, data: str, *, channels: int, report: Report) -> Parts:
            labels = np.arange(int(data.removeprefix(self.prefix)), dtype=np.int32) % 2
            rows = np.repeat(np.array([0, 255], np.uint8), 2)[:, None, None].repeat(4, 1)
            pixels = np.stack([rows.swapaxes(0, 1) if label else rows for label in labels])
            return Parts.of({"": Images(("rows", "columns"), labels, pixels)})

    del DATA_SOURCES.imported["stripes"]
    monkeypatch.setattr(registry, "data_sources", lambda: (*known, Stripes()))


@pytest.mark.usefixtures("stripes")
def test_a_new_source_is_opened_split_and_listed() -> None:
    assert ("stripes:COUNT", "Images of stripes.") in registry.data_forms()
    train = open_data("stripes:10", "train", validation_split=0.2, channels=1)
    assert train.pixels is not None
    assert (train.pixels.shape, train.class_names) == ((8, 4, 4, 1), ("rows", "columns"))
    with pytest.raises(ArchspecError, match=r"`stripes:COUNT`"):
        find_source("nothing/here")


@pytest.mark.usefixtures("stripes")
def test_an_exception_in_a_source_of_another_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArchspecError) as caught:
        open_data("stripes:many", "train")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.notes) == (
        "plugin",
        ("it raised ValueError: invalid literal for int() with base 10: 'many'",),
    )
    assert "the data source `stripes` of the package `tests`" in diagnostic.message
    monkeypatch.setenv("ARCHSPEC_DEBUG", "1")
    with pytest.raises(ValueError, match="invalid literal"):
        open_data("stripes:many", "train")


def test_a_name_is_declared_once() -> None:
    with pytest.raises(TypeError, match="the data source `digits` is declared twice"):
        type("Other", (DataSource,), {"name": "digits", "__module__": "another"})
