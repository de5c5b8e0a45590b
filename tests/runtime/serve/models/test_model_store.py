"""Which versions are served, with folders whose versions are not loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.serve.models.loaded_version import LoadedVersion, load_version
from archspec.runtime.serve.models.model_source import ModelSource, model_source
from archspec.runtime.serve.models.model_store import ModelStore
from archspec.runtime.serve.request_error import RequestError
from tests.runtime.serve.conftest import Exports


def write(folder: Path, number: int, **description: Any) -> None:
    version = folder / str(number)
    version.mkdir(parents=True, exist_ok=True)
    (version / "export.json").write_text(json.dumps({"format": "savedmodel", **description}))


class Version:
    def __init__(self, folder: Path) -> None:
        self.number = int(folder.name)
        self.text = (folder / "export.json").read_text()


def loaded(folder: Path) -> LoadedVersion:
    version = Version(folder)
    if "broken" in version.text:
        raise fail("not-served", f"{folder} is broken")
    return cast("LoadedVersion", version)


def store(
    folder: Path, *, name: str | None = "m", keep: int = 1, labels: dict[str, int] | None = None
) -> tuple[ModelStore, list[str]]:
    lines: list[str] = []
    return ModelStore(ModelSource(folder, name), loaded, keep=keep, labels=labels, report=lines.append), lines


def test_the_newest_version_replaces_the_others(tmp_path: Path) -> None:
    write(tmp_path, 1)
    models, lines = store(tmp_path)
    models.load_all()
    before = models.version("m")
    models._poll()
    assert models.version("m") is before  # not loaded again
    write(tmp_path, 10)  # not 9 in the order of texts
    write(tmp_path, 9)
    models._poll()
    assert (models.version("m").number, list(models.model("m").states())) == (10, [10])
    with pytest.raises(RequestError, match=r"Specific\(m, 1\).*served: 10"):
        models.version("m", 1)
    shutil.rmtree(tmp_path / "10")
    models._poll()
    assert models.version("m").number == 9
    assert lines[:3] == ["m: version 1 is served", "m: version 10 is served", "m: version 1 is no longer served"]


def test_a_version_that_is_replaced_is_loaded_again(tmp_path: Path) -> None:
    """As `archspec export --overwrite` does."""
    write(tmp_path, 1)
    models, _ = store(tmp_path)
    models.load_all()
    write(tmp_path, 1, precision="float16")
    models._poll()
    assert "float16" in cast("Any", models.version("m")).text


def test_a_broken_version_leaves_the_older_one(tmp_path: Path) -> None:
    """It is reported once, and tried again: it may be a copy that is not complete yet."""
    write(tmp_path, 1)
    models, lines = store(tmp_path)
    models.load_all()
    write(tmp_path, 2, broken=True)
    for _ in range(3):
        models._poll()
    assert models.version("m").number == 1
    assert models.model("m").states()[2] == ("END", "the version cannot be loaded; the log of the server says why")
    assert sum("cannot be served" in line for line in lines) == 1
    write(tmp_path, 2)
    models._poll()
    assert models.model("m").states() == {2: ("AVAILABLE", "")}


@pytest.mark.parametrize("key", ["name", "reference", "precision", "class_names", "preprocessing", "signatures"])
def test_a_version_whose_description_is_incomplete_is_not_loaded(exports: Exports, tmp_path: Path, key: str) -> None:
    """Else a request would fail that needs the key."""
    description = json.loads((exports.saved() / "1" / "export.json").read_text())
    del description[key]
    write(tmp_path, 1, **{"format": "savedmodel", **description})
    with pytest.raises(ArchspecError, match=f"not-served.*lacks what archspec writes: KeyError '{key}'"):
        load_version(tmp_path / "1")


def test_a_folder_without_a_good_version_is_refused_at_the_start(tmp_path: Path) -> None:
    write(tmp_path, 1, broken=True)
    models, _ = store(tmp_path)
    with pytest.raises(ArchspecError, match="is broken"):
        models.load_all()
    assert not models.ready


def test_several_versions_and_labels(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write(tmp_path, number)
    models, _ = store(tmp_path, keep=2, labels={"stable": 1, "gone": 7})
    models.load_all()
    assert sorted(models.model("m").loaded) == [1, 3, 4]
    assert models.version("m", label="stable").number == 1
    assert models.version("m", 3).number == 3
    for label in ("gone", "unknown"):
        with pytest.raises(RequestError) as error:
            models.version("m", label=label)
        assert error.value.status == 404


def test_models_appear_and_disappear(tmp_path: Path) -> None:
    write(tmp_path / "a", 1)
    (tmp_path / "empty").mkdir()
    models, _ = store(tmp_path, name=None)
    models.load_all()
    assert list(models.models) == ["a"]
    write(tmp_path / "b c", 3)
    models._poll()
    assert models.version("b c").number == 3
    shutil.rmtree(tmp_path / "a")
    models._poll()
    with pytest.raises(RequestError, match=r"Latest\(a\); the models are: `b c`"):
        models.version("a")


def test_a_folder_is_a_model_or_several(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    for path, name, expected in (
        (tmp_path / "one", None, {"one": tmp_path / "one"}),
        (tmp_path / "one", "x", {"x": tmp_path / "one"}),
        (tmp_path, None, {"one": tmp_path / "one"}),
    ):
        with model_source(path, name, print) as source:
            assert source.folders() == expected


def test_anything_else_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write(tmp_path / "one", 1)
    (tmp_path / "two" / "other").mkdir(parents=True)
    (tmp_path / "one" / "1" / "model.onnx").touch()
    (tmp_path / "foreign.tflite").touch()
    for path, name, said, help in (
        (tmp_path / "one" / "1", None, "is a version of an export", f"archspec serve {tmp_path / 'one'}"),
        (tmp_path / "one" / "1" / "model.onnx", None, "is a file of an export", f"archspec serve {tmp_path / 'one'}"),
        (tmp_path / "foreign.tflite", None, "was not exported by archspec", "the folder of an export"),
        (tmp_path, "x", "has several models", "leave out"),
        (tmp_path / "one", "a/b", "cannot be named", "name"),
        (tmp_path / "two", None, "neither exports nor a trained model", "the folder of an export"),
        (tmp_path / "nowhere", None, "there is no file", "run"),
    ):
        with pytest.raises(ArchspecError) as error, model_source(path, name, print):
            pass
        assert said in error.value.diagnostics[0].message
        assert help in str(error.value.diagnostics[0].help)
