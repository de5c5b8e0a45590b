"""Numbered versions of exports that several processes write to one folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.export.version_folder import new_version
from archspec.runtime.system.atomic_write import write_text


def write(folder: Path, text: str) -> Path:
    with new_version(folder, overwrite=False) as (temporary, final):
        (temporary / "export.json").write_text(text)
    (path,) = final
    return path


def test_a_version_that_another_process_adds_at_the_same_time_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It appears between the choice of the number and the rename."""
    rename, folder = os.rename, tmp_path / "served"

    def late(source: Any, target: Any) -> None:
        monkeypatch.setattr(os, "rename", rename)
        Path(target).mkdir()
        (Path(target) / "export.json").write_text("theirs")
        os.rename(source, target)

    assert write(folder, "first") == folder / "1"
    monkeypatch.setattr(os, "rename", late)
    assert write(folder, "ours") == folder / "3"
    assert [(folder / number / "export.json").read_text() for number in "123"] == ["first", "theirs", "ours"]
    assert sorted(path.name for path in tmp_path.rglob(".*")) == []


def test_an_error_names_the_folder_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail() -> None:
        with new_version(tmp_path / "served", overwrite=False) as (temporary, _):
            write_text(temporary / "export.json", "text")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ArchspecError, match=r"cannot write `.*/served/export\.json`: no space left on device"):
        fail()
    assert list(tmp_path.iterdir()) == []
