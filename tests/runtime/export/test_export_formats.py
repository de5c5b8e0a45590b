"""Export formats are found by name, with their packages, and `archspec export` derives from them."""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import archspec
from archspec.declare import declared
from archspec.diagnostics import ArchspecError
from archspec.runtime.export import EXPORT_FORMATS, ExportFormat
from archspec.runtime.export.export_format import WriteOptions
from archspec.runtime.export.exporter import find_format
from archspec.runtime.export.litert import add_files
from archspec.runtime.export.onnx import Onnx
from archspec.runtime.export.read_network import read_network
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from tests.cli.conftest import Run
from tests.cli.conftest import run as run


@pytest.mark.parametrize("name", EXPORT_FORMATS)
def test_every_format_is_described(name: str, run: Run) -> None:
    description = dict(archspec.export_formats())[name]
    assert description.partition("\n")[0].endswith(".")
    assert f"--format {name}: {description.partition(chr(10))[0]}" in " ".join(run("export", "--help").out.split())


def test_an_unknown_format_is_named_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        archspec.export(tmp_path / "missing.keras", tmp_path / "out", format="savedmodl")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("unknown-format", "did you mean `savedmodel`?")


def test_the_extra_of_a_format_is_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    @declared
    class Stone(ExportFormat):
        """A stone."""

        extra = "stone"
        packages = ("no_such_package",)

    monkeypatch.setitem(EXPORT_FORMATS.imported, "stone", Stone)
    with pytest.raises(ArchspecError) as caught:
        find_format("stone")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "missing-package"
    assert diagnostic.help == "`pip install 'archspec-keras[stone]'`"


def test_calibration_images_are_refused_where_nothing_is_calibrated(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        archspec.export(tmp_path / "m.keras", tmp_path / "out", calibration="digits", precision="bfloat16")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "calibration"
    assert diagnostic.message == "`calibration` is for int8, but this export is in bfloat16"


def test_a_class_name_takes_one_line_of_a_list_in_an_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its reader takes for the end of a line; export.json has the exact names."""
    import keras

    names = (*(f"a{each}b" for each in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), "big cat", "über\\kat")
    escapes = ["n", "r", "x0b", "x0c", "x1c", "x1d", "x1e", "x85", "u2028", "u2029"]
    lines = [*(f"a\\{each}b" for each in escapes), "big cat", "über\\kat"]
    entry = keras.Input((2, 2, 1))
    output = keras.layers.Dense(len(names), "softmax")(keras.layers.Flatten()(entry))
    save_model(keras.Model(entry, output), tmp_path / "m.keras", Metadata(class_names=names))

    done = archspec.export(tmp_path / "m.keras", tmp_path / "saved", verify=False)
    assert (done.path / "assets" / "classes.txt").read_bytes().decode().split("\n") == [*lines, ""]
    assert json.loads((done.path / "export.json").read_text(encoding="utf-8"))["class_names"] == list(names)

    network = read_network(tmp_path / "m.keras")
    add_files(tmp_path / "m.tflite", network)
    with zipfile.ZipFile(tmp_path / "m.tflite") as archive:
        assert archive.read("labels.txt").decode().splitlines() == lines

    found: dict[str, Any] = {}

    def convert(program: str, format: str, request: dict[str, Any]) -> dict[str, Any]:
        found.update(request["metadata"])
        return {"inputs": ["images"], "outputs": ["probabilities"], "foreign": []}

    module = "archspec.runtime.export.pixel_function"
    monkeypatch.setattr(f"{module}.pixel_function", lambda network: contextlib.nullcontext(tmp_path))
    monkeypatch.setattr(f"{module}.convert", convert)
    Onnx().write(network, tmp_path, WriteOptions())
    assert found["classes"].split("\n") == lines


def test_an_unknown_format_on_the_command_line_is_wrong_usage(run: Run) -> None:
    result = run("export", "some.keras", "-o", "out", "--format", "tarball")
    assert result.status == 2
    assert "'savedmodel'" in result.err
