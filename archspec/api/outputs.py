"""Output files of commands: check their names, and never replace a file without `overwrite`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.arguments import StrPath

if TYPE_CHECKING:
    from pathlib import Path


def check_output(path: StrPath, *suffixes: str, overwrite: bool = False) -> Path:
    """Check the name of an output file before the work starts.

    Args:
        suffixes: the endings that the name may have; any without.
        overwrite: let an existing file be replaced. A folder never is.

    Raises:
        ArchspecError: `bad-output` for another ending, `output-exists`, `cannot-write`.
    """
    from pathlib import Path  # which commands without an output do without

    from archspec.runtime.system.atomic_write import check_output_file

    path = Path(path)
    check_output_file(path, *suffixes, overwrite=overwrite)
    return path


def write_text(path: StrPath, text: str, *, overwrite: bool = False) -> Path:
    """Write a text file, UTF-8, atomically.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    from archspec.runtime.system.atomic_write import write_text

    path = check_output(path, overwrite=overwrite)
    write_text(path, text)
    return path
