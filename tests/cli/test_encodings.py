"""Commands print in any encoding, and arguments that are not UTF-8 are errors."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from archspec import api
from archspec.cli import main
from archspec.cli.terminal import print_in_any_encoding
from archspec.diagnostics import ArchspecError
from archspec.lang.document.yaml_parser import parse_value


def test_characters_that_the_output_lacks_are_substituted(monkeypatch: pytest.MonkeyPatch) -> None:
    contents = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(contents, "latin-1"))
    print_in_any_encoding()
    sys.stdout.write("── 7×5 → é ↑ 畳\udcff")
    sys.stdout.flush()
    assert contents.getvalue() == "-- 7×5 -> é ^ \\u7573\\udcff".encode("latin-1")


@pytest.mark.parametrize("value", ["\udcff", "[a, \ud800]", "{\udfff: 1}"])
def test_settings_that_are_not_utf_8_are_yaml_errors(value: str) -> None:
    with pytest.raises(ArchspecError) as caught:
        parse_value(value, "--set x")
    assert caught.value.diagnostics[0].code == "yaml-syntax"


def test_a_spec_whose_name_is_not_utf_8_is_read(tmp_path: Path) -> None:
    file = tmp_path / "\udcff.yaml"
    file.write_text("name: net\ninput: [3]\nlayers: [relu]\n")
    assert api.check(str(file)) == []


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (PermissionError(13, "Permission denied", "/a/\x1bb"), "cannot access `/a/\\x1bb`: permission denied"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_errors_of_the_system_are_no_bugs(
    error: Exception, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises(**options: object) -> None:
        raise error

    monkeypatch.setattr(main.cli, "main", raises)
    assert main.run() == 1
    assert shown in capsys.readouterr().err
