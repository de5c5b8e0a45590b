"""The directory of a training run. A run is overwritten only on request.

spec.yaml     the spec with its variant and settings applied: `archspec train RUN/spec.yaml` repeats the run
run.json      recipe, seed, devices, processor, threads, versions, data, classes, times, the best epoch
history.csv   the metrics, one row per epoch
times.csv     seconds, images per second and data wait, one row per epoch
tensorboard/  the metrics for TensorBoard
curves.png    the metrics as a picture
best.keras    the network of the best epoch: highest validation top-1, then lowest validation loss
last.keras    the network after the last step
example.png   a validation image to try `archspec predict` on, if the images come from memory
images.npz    a digest of each image, to name those that have changed when the run is resumed
checkpoints/  the last two checkpoints: `archspec train --resume RUN`
.lock         names the process that trains in the directory (`locked`)
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.system.atomic_write import check_writable, discard, os_errors, write_text

SPEC = "spec.yaml"
IMAGES = "images.npz"
EXAMPLE = "example.png"
MODELS = ("best.keras", "last.keras")
FILES = (
    SPEC,
    IMAGES,
    "history.csv",
    "times.csv",
    "tensorboard",
    "curves.png",
    *MODELS,
    EXAMPLE,
    "checkpoints",
)
"""The files that a new run replaces, besides run.json."""


def choose(out: str | Path | None, name: str) -> Path:
    """`out`, or `runs/NAME-YYYYmmdd-HHMMSS`, with a number appended if that exists."""
    if out is not None:
        return Path(out)
    stem = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([stem.name], (f"{stem.name}-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := stem.with_name(name)).exists())


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Check that a run can be written to `path`. Changes nothing.

    Raises:
        ArchspecError: `output-exists` if something is there, or, with `overwrite`, something other than a run;
            `run-busy` if another process trains in it; `cannot-write`.
    """
    if not path.exists() and not path.is_symlink():
        check_writable(path)
        return
    if not path.is_dir():
        raise fail("output-exists", f"`{path}` exists and is not a folder", help="choose another `--out`")
    if _holds_no_run(path):
        return
    is_run = (path / "run.json").is_file()
    if not overwrite:
        raise fail(
            "output-exists",
            f"the folder `{path}` exists and is not empty",
            help="choose another `--out`" + ", or replace that run with `--overwrite`" * is_run,
        )
    if not is_run:
        raise fail(
            "output-exists",
            f"the folder `{path}` is not a run directory, so it is not overwritten",
            help="choose another `--out`",
        )
    refuse_busy(path)


@contextlib.contextmanager
def created(path: Path, *, overwrite: bool = False) -> Iterator[None]:
    """Make the folder, remove the files of an earlier run, and lock it until the end of the context.

    Call `refuse_existing` before.

    Raises:
        ArchspecError: `cannot-write`; `run-busy` and `output-exists` if another run has started there since.
    """
    with os_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if not overwrite and (path / "run.json").exists():
            raise fail("output-exists", f"another process has started a run in `{path}`", help="choose another `--out`")
        for name in (*FILES, "run.json"):  # run.json last: a half removed run is still recognized
            discard(path / name)
        yield


def is_unfinished_start(path: Path) -> bool:
    """Whether a process was killed in that folder before its run began, so that there is nothing to resume."""
    return path.is_dir() and any(path.iterdir()) and _holds_no_run(path)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of a killed process. Call it with the lock of the directory."""
    for folder in (path, path / "checkpoints"):
        for leftover in folder.glob(".*.tmp*"):
            discard(leftover)


def _holds_no_run(path: Path) -> bool:
    """Whether the folder is empty, or a run was killed in it before it began: run.json is written last."""
    return all(entry.name in (SPEC, IMAGES, EXAMPLE) or _is_leftover(entry.name) for entry in path.iterdir())


def _is_leftover(name: str) -> bool:
    """Whether a killed process may have left that file."""
    return name.startswith(".") and (".tmp" in name or name == LOCK)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as CSV, atomically; the columns are the keys of the first. Nothing for no rows."""
    if not rows:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


LOCK = ".lock"


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold a lock on RUN/.lock, which names this process, and remove the file at the end. A killed process releases it.

    Without effect where the operating system or the file system has no locks.

    Raises:
        ArchspecError: `run-busy` when another process, or this one, holds it; `cannot-write`.
    """
    path, here = run / LOCK, False
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
        file = (run / LOCK).open("r+", encoding="utf-8")
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
        os.ftruncate(file.fileno(), 0)  # without the buffer of `file`, which closing would write again
        os.write(file.fileno(), f"process {os.getpid()} on {socket.gethostname()}\n".encode())


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
