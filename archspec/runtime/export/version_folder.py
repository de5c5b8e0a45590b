"""Numbered version folders, as TensorFlow Serving expects them: `DIR/1`, `DIR/2`, of which it serves the newest.

Each has the files of one export and `export.json`. A new version has a temporary name until it is proven.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.system.atomic_write import (
    check_writable,
    discard,
    new_folders,
    os_errors,
    replace,
    temporary_path,
)
from archspec.runtime.system.output_set import final_names

DESCRIPTION = "export.json"
FILES = (".onnx", ".tflite", ".keras", ".pb", ".h5")
"""Suffixes of files, which the name of a folder should not have."""


def versions(folder: Path) -> list[int]:
    """The numbers of the versions in a folder, in ascending order."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


def read_description(version: Path) -> dict[str, Any] | None:
    """The content of `export.json` in a version folder; None without one that can be read."""
    try:
        found = json.loads((version / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def check_version_folder(folder: Path, format: str) -> None:
    """Check before long work that a new version of that format can be written to `folder`. Changes nothing.

    Raises:
        ArchspecError: `bad-output` for the name of a file; `output-exists` where something other than exports of this
            format is there; `cannot-write`.
    """
    if folder.suffix in FILES and not folder.exists():
        raise fail(
            "bad-output",
            f"an export is a folder of versions, but `{folder}` is the name of a file",
            help=f"`-o {folder.with_suffix('')}`, in which `1` is then the folder of the file",
        )
    if folder.is_symlink() or folder.exists():
        if not folder.is_dir():
            raise fail("output-exists", f"`{folder}` exists and is not a folder", help="give another `-o`")
        names = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if (folder / "saved_model.pb").is_file():
            raise fail(
                "output-exists",
                f"`{folder}` is a SavedModel without version folders, as earlier versions of archspec wrote it",
                help="remove it or give another `-o`; the new export is then the folder `1` in it",
            )
        for path in names:
            found = read_description(path) if path.name.isdecimal() else None
            if found is None:
                raise fail(
                    "output-exists",
                    f"the folder `{folder}` contains `{path.name}`, which is not an export",
                    help="give another `-o`",
                )
            if found.get("format") != format:
                raise fail(
                    "output-exists",
                    f"`{path}` is an export in the format {found.get('format')}; "
                    f"the versions in a folder have one format, and this one is {format}",
                    help="give another `-o`",
                )
    check_writable(folder)


@contextlib.contextmanager
def new_version(folder: Path, *, overwrite: bool) -> Iterator[tuple[Path, list[Path]]]:
    """Yields a temporary folder for a new version, and a list that receives its final path at the end.

    The number is one more than that of the newest version; with `overwrite` the newest is replaced. If the block
    raises, nothing remains.

    Raises:
        ArchspecError: `cannot-write`.
    """
    existed = folder.is_dir()
    temporary = temporary_path(folder / "new" if existed else folder)
    final: list[Path] = []
    with new_folders(folder.parent):
        try:
            with os_errors(folder), final_names([temporary], [folder]):
                temporary.mkdir()
                yield temporary, final
                for path in temporary.rglob("*"):
                    if path.is_file():
                        with path.open("rb") as written:
                            os.fsync(written.fileno())
                folder.mkdir(exist_ok=True)
                final.append(_rename(temporary, folder, overwrite=overwrite))
        finally:
            discard(temporary)
            if not existed and folder.is_dir() and not any(folder.iterdir()):
                discard(folder)


def _rename(temporary: Path, folder: Path, *, overwrite: bool) -> Path:
    """Rename the temporary folder to its version: another process may have added one since."""
    found = versions(folder)
    if overwrite and found:
        path = folder / str(found[-1])
        replace(temporary, path)
        return path
    number = (found or [0])[-1] + 1
    while True:
        path = folder / str(number)
        if not path.exists():
            try:
                os.rename(temporary, path)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # else another process was faster
                    raise
            else:
                return path
        number += 1
