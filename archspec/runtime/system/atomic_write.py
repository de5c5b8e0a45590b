"""Files that are whole or not there: written under a temporary name, flushed to the disk, then renamed."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, fail


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """The temporary path to write to, in the same folder and with the same suffix; `path` appears at the end.

    Raises:
        ArchspecError: `cannot-write` when the disk is full or the place is not writable. What was at `path` stays.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    _discard_leftovers(path)
    try:
        with os_errors(path):
            yield temporary
            if temporary.is_file():
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
            os.replace(temporary, path)
            flush_folder(path.parent)
    finally:
        discard(temporary)


def _discard_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left."""
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
    """Bring new names in it to the disk too, where the file system can."""
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
    """A second name for the file where the file system allows one, else a copy; atomically.

    Files written by `atomic` are replaced, never changed, so two names for one file do not disturb each other.
    """
    with atomic(path) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


@contextlib.contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """The operating system's refusals while writing `path`, as one error that names it."""
    try:
        yield
    except ArchspecError:
        raise
    except OSError as error:
        raise fail("cannot-write", f"cannot write `{path}`: {reason(error)}", help=_remedy(error)) from error
    except RuntimeError as error:
        if "errno" not in str(error):  # HDF5 reports the system's errors as RuntimeError
            raise
        raise fail("cannot-write", f"cannot write `{path}`: {reason(error)}", help=_remedy(error)) from error


def check_place(path: Path) -> None:
    """Before long work whose result is to be written to `path`: that something can be made there. Changes nothing.

    Raises:
        ArchspecError: `cannot-write` where its nearest folder is a file, or may not be written to.
    """
    with os_errors(path):
        place = path if path.is_dir() else path.parent
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(place, os.W_OK | os.X_OK):
            fixed = hasattr(os, "statvfs") and os.statvfs(place).f_flag & os.ST_RDONLY
            number = errno.EROFS if fixed else errno.EACCES
            raise OSError(number, os.strerror(number))


def check_folder(path: Path) -> None:
    """Before long work: that `path` is free for a new folder, or an empty one. Changes nothing.

    Raises:
        ArchspecError: `output-exists`, `cannot-write`.
    """
    if path.is_symlink() or path.exists():
        if not path.is_dir():
            raise fail("output-exists", f"`{path}` exists and is not a folder", help="give another `-o`")
        if any(path.iterdir()):
            raise fail("output-exists", f"the folder `{path}` exists and is not empty", help="give another `-o`")
    check_place(path)


def reason(error: Exception) -> str:
    """What the operating system says, in lower case: `no space left on device`."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    for part in text.split(","):
        if "error message = '" in part:  # HDF5
            text = part.split("'")[1]
    text = text.rpartition(".tmp; ")[2]  # TensorFlow: `FILE; Read-only file system`
    return text[:1].lower() + text[1:]


def _remedy(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "make the folder first"
    full = "space" in str(error) or "quota" in str(error).lower() or "too large" in str(error).lower()
    return "make room on that disk, or write to another one" if full else "choose a place that you may write to"


def discard(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
