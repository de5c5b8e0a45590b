"""Export formats are found by name, with their packages, and `archspec export` derives from them."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.declare import declared
from archspec.diagnostics import ArchspecError
from archspec.runtime.export import EXPORT_FORMATS, ExportFormat
from archspec.runtime.export.exporter import find_format
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


def test_an_unknown_format_on_the_command_line_is_wrong_usage(run: Run) -> None:
    result = run("export", "some.keras", "-o", "out", "--format", "tarball")
    assert result.status == 2
    assert "'savedmodel'" in result.err
