"""Atomic writes: a file is written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder, with the same suffix; renames it to `path` at the end.

    Raises:
        ArchspecError: `cannot-write` when the disk is full or the folder is not writable. An earlier `path` is kept.
    """
    refuse_device(path)
    temporary = temporary_path(path)
    try:
        with os_errors(path):
            yield temporary
            flush(temporary)
            replace(temporary, path)
    finally:
        discard(temporary)


def refuse_device(path: Path) -> None:
    """Raises ArchspecError (`cannot-write`) for a device, pipe or socket, which a file would replace."""
    with os_errors(path):
        other = path.exists() and not path.is_file() and not path.is_dir()
    if other:
        fact = f"cannot write `{path}`: it is a device or a pipe, which the file would replace"
        raise fail("cannot-write", fact, help="give the name of a file")


def temporary_path(path: Path) -> Path:
    """A temporary path of this process in the same folder, with the same suffix. Removes those of killed processes."""
    _discard_leftovers(path)
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def flush(path: Path) -> None:
    """Flush a file to the disk; nothing for a folder."""
    if path.is_file():
        with path.open("rb") as written:
            os.fsync(written.fileno())


def replace(temporary: Path, path: Path) -> None:
    """Rename a file or a folder to `path`, which it replaces; an earlier folder is removed after that."""
    earlier = path.with_name(f".{path.stem}.earlier.{os.getpid()}.tmp{path.suffix}")
    if path.is_dir() and not path.is_symlink() and any(path.iterdir()):
        os.replace(path, earlier)
    try:
        os.replace(temporary, path)
    except OSError:
        if earlier.is_dir():
            os.replace(earlier, path)
        raise
    flush_folder(path.parent)
    discard(earlier)


def make_folder(path: Path) -> None:
    """Make the folder of an output, and those above it. Raises ArchspecError (`cannot-write`)."""
    with os_errors(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def new_folders(path: Path) -> Iterator[None]:
    """Make the folder of an output, and those above it; those that are made here go if the block raises.

    A folder that another process has put a file into stays.

    Raises:
        ArchspecError: `cannot-write`.
    """
    made: list[Path] = []
    try:
        with os_errors(path):
            made += [each for each in (path, *path.parents) if not each.exists()]
        make_folder(path)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for each in made:
                each.rmdir()
        raise


def _discard_leftovers(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote `path`."""
    with contextlib.suppress(OSError):
        for leftover in path.parent.glob(f".{glob.escape(path.stem)}.*.tmp{glob.escape(path.suffix)}"):
            number = leftover.name.removesuffix(path.suffix).split(".")[-2]
            if number.isdecimal() and not _runs(int(number)):
                discard(leftover)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def flush_folder(folder: Path) -> None:
    """Flush the names of new files to the disk too, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """The text as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON, indented, with a line end, atomically. Raises ArchspecError (`cannot-write`)."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n")


def copy(source: Path, path: Path) -> None:
    """A hard link where the file system allows one, else a copy; atomically.

    Files written by `atomic` are replaced, never changed, so two names can share one file.
    """
    with atomic(path) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors while writing `path` into `cannot-write`, which names it."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "errno" not in str(error):  # HDF5 raises RuntimeError for system errors
            raise
        raise fail("cannot-write", f"cannot write `{path}`: {reason(error)}", help=_remedy(error)) from error


def check_writable(path: Path) -> None:
    """Check before long work that `path` can be written afterwards. Changes nothing.

    Raises:
        ArchspecError: `cannot-write` when the nearest existing folder is a file, or not writable.
    """
    with os_errors(path):
        place = path if path.is_dir() else path.parent
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(place, os.W_OK | os.X_OK):
            read_only = hasattr(os, "statvfs") and os.statvfs(place).f_flag & os.ST_RDONLY
            number = errno.EROFS if read_only else errno.EACCES
            raise OSError(number, os.strerror(number))


def check_file_writable(path: Path) -> None:
    """Check before long work that a file can be written to a folder, which exists. Changes nothing.

    Raises:
        ArchspecError: `cannot-write`.
    """
    refuse_device(path)
    with os_errors(path):
        os.stat(path.parent)
    check_writable(path)


def check_output_file(path: Path, *suffixes: str, overwrite: bool = False) -> None:
    """Check before long work that a file can be written, and its name.

    Args:
        suffixes: the endings that the name may have; any without.
        overwrite: let an existing file be replaced. A folder never is.

    Raises:
        ArchspecError: `bad-output` for another ending, `output-exists`, `cannot-write`.
    """
    if path.is_dir():
        example = f", such as `{path / f'net{suffixes[0]}'}`" if suffixes else ""
        raise fail("output-exists", f"`{path}` is a folder", help=f"give the name of a file{example}")
    if suffixes and path.suffix not in suffixes:
        known = path.suffix[1:].isalpha() or path.suffix == ".h5"
        stem = path.with_suffix("") if known else path  # `p.jpg`, but not `net-1.5`
        fact = f"the name `{path}` does not end in {' or '.join(f'`{suffix}`' for suffix in suffixes)}"
        raise fail("bad-output", fact, help=f"write `{shlex.quote(f'{stem}{suffixes[0]}')}`")
    refuse_device(path)
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise fail("output-exists", f"`{path}` exists", help="give another name, or `--overwrite`")
    check_file_writable(path)


def check_output_folder(path: Path, *, overwrite: bool = False, mark: str | None = None) -> None:
    """Check before long work that `path` can become a folder of results: new or empty. Changes nothing.

    Args:
        overwrite: let an earlier folder be replaced, if it has the file `mark`, which such folders have.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    if path.is_symlink() or path.exists():
        if not path.is_dir():
            raise fail("output-exists", f"`{path}` exists and is not a folder", help="give another `-o`")
        if any(path.iterdir()):
            is_ours = mark is not None and any(path.glob(mark))
            if overwrite and not is_ours:
                raise fail(
                    "output-exists",
                    f"the folder `{path}` was not written by this command, so it is not overwritten",
                    help="give another `-o`",
                )
            if not overwrite:
                raise fail(
                    "output-exists",
                    f"the folder `{path}` exists and is not empty",
                    help="give another `-o`" + ", or `--overwrite`" * is_ours,
                )
    check_writable(path)


def reason(error: Exception) -> str:
    """The operating system's message, with a small first letter: `no space left on device`."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    for part in text.split(","):
        if "error message = '" in part:  # HDF5
            text = part.split("'")[1]
    if found := re.search(r"; ([^;\[]+?)( \[Op:\w+\])?$", text):
        text = found[1]
    return text[:1].lower() + text[1:]


def _remedy(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "create the folder first"
    full = "space" in str(error) or "quota" in str(error).lower() or "too large" in str(error).lower()
    return "free space on that disk, or write to another one" if full else "choose a path where you may write"


def discard(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
