"""The directory of a training run: what it holds, how it comes to be, and that nothing in it is overwritten.

page.yaml     the page with its variant and settings applied: `archspec train RUN/page.yaml` repeats the run
run.json      recipe, seed, devices, threads, versions, data, classes, times, the best epoch
history.csv   one row an epoch
times.csv     how long it took, and images per second
tensorboard/  the same figures for TensorBoard
curves.png    the same figures as a picture
best.keras    the network of the best epoch: highest validation top-1, then lowest validation loss
last.keras    the network as it stood at the end
images.npz    a digest of each image, to name those that have changed when the run is to go on
checkpoints/  the last two, to go on from: `archspec train --resume RUN`
.lock         which process trains in it, as long as one does (`run_lock`)
"""

from __future__ import annotations

import contextlib
import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.system.atomic_write import discard, os_errors, write_text
from archspec.runtime.system.file_lock import NAME as LOCK
from archspec.runtime.system.file_lock import locked, refuse_busy

SPEC = "spec.yaml"
IMAGES = "images.npz"
EXAMPLE = "example.png"
FILES = (
    SPEC,
    IMAGES,
    "history.csv",
    "times.csv",
    "tensorboard",
    "curves.png",
    "best.keras",
    "last.keras",
    EXAMPLE,
    "checkpoints",
)
"""What a new run replaces, besides run.json."""


def choose(out: str | Path | None, name: str) -> Path:
    """`out`, or `runs/NAME-YYYYmmdd-HHMMSS`, with a number behind it while that is taken."""
    if out is not None:
        return Path(out)
    stem = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return next(path for path in _numbered(stem) if not path.exists())


def _numbered(stem: Path) -> Iterator[Path]:
    yield stem
    number = 2
    while True:
        yield stem.with_name(f"{stem.name}-{number}")
        number += 1


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Check that a run can be written to `path`, and change nothing.

    Raises:
        ArchspecError: `output-exists` when something is there; with `overwrite`, when it is not a run directory;
            `run-busy` when another process trains in it.
    """
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise fail("output-exists", f"`{path}` exists and is not a folder", help="give another `--out`")
    if all(entry.name in (SPEC, IMAGES) or _is_leftover(entry.name) for entry in path.iterdir()):
        return  # or a run was killed before it began: run.json comes last
    if not overwrite:
        help = "give another `--out`, or `--overwrite` to replace that run"
        raise fail("output-exists", f"the folder `{path}` exists and is not empty", help=help)
    if not (path / "run.json").is_file():
        message = f"the folder `{path}` is not the directory of a run, and is not overwritten"
        raise fail("output-exists", message, help="give another `--out`")
    refuse_busy(path)


@contextlib.contextmanager
def created(path: Path, *, overwrite: bool = False) -> Iterator[None]:
    """Make the folder, and remove from it the files of an earlier run; it is held until the end of the context.

    Call `refuse_existing` before.

    Raises:
        ArchspecError: `cannot-write`; `run-busy` and `output-exists` when another run has begun there since.
    """
    with os_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if not overwrite and (path / "run.json").exists():
            raise fail("output-exists", f"another process has just trained in `{path}`", help="give another `--out`")
        for name in (*FILES, "run.json"):  # last, so that a folder that is half removed is still known for what it is
            discard(path / name)
        yield


def _is_leftover(name: str) -> bool:
    """Whether a killed process has left that file half-written."""
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
