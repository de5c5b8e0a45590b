"""The lock on a run directory: two processes that train in it would destroy each other's files."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.system.atomic_write import discard, os_errors

NAME = ".lock"


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a lock on RUN/.lock, which names this process, and remove the file at the end. A killed process releases it.

    Without effect where the operating system or the file system has no locks.

    Raises:
        ArchspecError: `run-busy` when another process, or this one, holds it; `cannot-write`.
    """
    path, here = run / NAME, False
    while not here:
        with os_errors(run):
            file = path.open("a+", encoding="utf-8")
        with contextlib.ExitStack() as stack:
            stack.enter_context(file)
            _take(file, run)
            here = _is_at(file, path)  # else its last holder has just removed the file: try again
            if here:
                stack.callback(discard, path)
                yield


def refuse_busy(run: Path) -> None:
    """Raises `run-busy` when a process trains in the run directory."""
    try:
        file = (run / NAME).open("r+", encoding="utf-8")
    except OSError:
        return  # without a lock, or not writable, which a later write reports
    with file:
        _take(file, run)


def _take(file: IO[str], run: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(file, run) from None
    except OSError:  # a file system without locks
        return
    with contextlib.suppress(OSError):  # the name is optional, on a full disk
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def _busy(file: IO[str], run: Path) -> ArchspecError:
    file.seek(0)
    holder = file.readline(200).strip() or "another process"
    help = "wait for it, or stop it: after Ctrl-C or SIGTERM the run can continue with `--resume`"
    return fail("run-busy", f"`{run}` is being trained by {holder}", help=help)
