"""Several outputs of one command, written atomically: all or none, even if the process is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from archspec.diagnostics import ArchspecError
from archspec.runtime.system.atomic_write import (
    discard,
    flush,
    new_folders,
    os_errors,
    replace,
    temporary_path,
    write_json,
)


@contextlib.contextmanager
def output_set(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yields a temporary path for each file or folder; at the end they are renamed, one after the other.

    A process that is killed between two renames leaves a record of the outputs, so that the same command can replace
    them: `interrupted_outputs`.

    Raises:
        ArchspecError: `cannot-write`; no output is then there that was not there before.
    """
    temporaries = [temporary_path(path) for path in paths]
    with contextlib.ExitStack() as folders:
        for path in paths:
            folders.enter_context(new_folders(path.parent))
        try:
            with os_errors(paths[0]), final_names(temporaries, paths):
                yield temporaries
            for temporary, path in zip(temporaries, paths, strict=True):
                with os_errors(path):
                    flush(temporary)
            inodes = {str(path.absolute()): each.stat().st_ino for each, path in zip(temporaries, paths, strict=True)}
            if len(paths) > 1:
                write_json(_record(paths), inodes)
            for temporary, path in zip(temporaries, paths, strict=True):
                with os_errors(path):
                    replace(temporary, path)
            discard(_record(paths))
        finally:
            for temporary in temporaries:
                discard(temporary)


@contextlib.contextmanager
def final_names(temporaries: Sequence[Path], paths: Sequence[Path]) -> Iterator[None]:
    """Let errors name the outputs, not the temporary paths."""
    try:
        yield
    except ArchspecError as error:
        found = list(error.diagnostics)
        for temporary, path in zip(temporaries, paths, strict=True):
            messages = [each.message.replace(str(temporary), str(path)) for each in found]
            found = [dataclasses.replace(each, message=text) for each, text in zip(found, messages, strict=True)]
        raise ArchspecError(*found) from error


def interrupted_outputs(paths: Sequence[Path]) -> set[Path]:
    """The outputs that a killed process has renamed, among those of the same command."""
    try:
        numbers = json.loads(_record(paths).read_text(encoding="utf-8"))
        return {path for path in paths if path.exists() and numbers.get(str(path.absolute())) == path.stat().st_ino}
    except (OSError, ValueError, AttributeError):
        return set()


def _record(paths: Sequence[Path]) -> Path:
    return paths[0].with_name(f".{paths[0].name}.outputs")
