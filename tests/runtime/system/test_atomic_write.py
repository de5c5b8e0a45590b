"""Before long work it is known whether its result can be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from archspec.diagnostics import ArchspecError, Diagnostic
from archspec.runtime.system.atomic_write import check_output_file, check_output_folder, check_writable, write_text
from archspec.runtime.system.output_set import output_set


def refused(check: object, path: Path) -> Diagnostic:
    with pytest.raises(ArchspecError) as caught:
        check(path)  # type: ignore[operator]
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


def test_a_place_that_can_be_made_is_fine_and_nothing_is_made(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "new", tmp_path / "deep" / "down" / "new"):
        check_writable(path)
        check_output_folder(path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_can_be_made_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrong = refused(check_writable, tmp_path / "file" / "a" / "b")
    assert wrong.code == "cannot-write"
    assert wrong.message.endswith("b`: not a directory")
    assert wrong.help == "choose a path where you may write"


@pytest.mark.parametrize(("fixed", "words"), [(0, "permission denied"), (os.ST_RDONLY, "read-only file system")])
def test_nothing_can_be_made_where_one_may_not_write(
    fixed: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere: the answers of the system are given here."""
    asked: list[Path] = []

    def access(path: Path, mode: int) -> bool:
        asked.append(path)
        return mode != os.W_OK | os.X_OK

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "statvfs", lambda path: type("Answer", (), {"f_flag": fixed}))
    wrong = refused(check_output_folder, tmp_path / "new" / "folder")
    assert (wrong.code, wrong.message) == ("cannot-write", f"cannot write `{tmp_path / 'new' / 'folder'}`: {words}")
    assert asked == [tmp_path]


def test_a_folder_must_be_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for path, words in (
        (tmp_path, "is not empty"),
        (tmp_path / "file", "is not a folder"),
        (tmp_path / "link", "link"),
    ):
        wrong = refused(check_output_folder, path)
        assert wrong.code == "output-exists"
        assert words in wrong.message
        assert wrong.help == "give another `out`"


@pytest.mark.parametrize("act", [write_text, lambda path, text: check_output_file(path, overwrite=True)])
def test_a_pipe_is_not_replaced_by_a_file(tmp_path: Path, act: Callable[[Path, str], object]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ArchspecError, match="a device or a pipe"):
        act(pipe, "text")
    assert pipe.is_fifo()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_folders_of_an_output_go_with_it(tmp_path: Path, error: type[BaseException]) -> None:
    """Only those that were made here, and only empty ones."""

    def fail(*, other: bool) -> None:
        with output_set([tmp_path / "old" / "a" / "b" / "c"]) as (temporary,):
            temporary.mkdir()
            if other:
                (tmp_path / "old" / "a" / "other").touch()
            raise error

    (tmp_path / "old").mkdir()
    for other, left in ((False, []), (True, ["a", "other"])):
        with pytest.raises(error):
            fail(other=other)
        assert (tmp_path / "old").is_dir()
        assert sorted(path.name for path in (tmp_path / "old").rglob("*")) == left
