"""Arrays in the user's cache folder, so that they are computed only once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import ArchspecError
from archspec.runtime.system.atomic_write import atomic


def cache_file(data: str | Path) -> Path:
    """The cache file of a data source, in ARCHSPEC_CACHE or the user's cache folder."""
    root = os.environ.get("ARCHSPEC_CACHE")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "archspec")
    digest = hashlib.sha256(os.fsencode(Path(data).resolve())).hexdigest()[:16]
    return Path(root) / f"manifest-{digest}.npz"


def write_cache(path: Path, version: int, **arrays: Any) -> None:
    """Write arrays with the version of their format. A cache that cannot be written is skipped without an error."""
    with contextlib.suppress(ArchspecError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            np.savez_compressed(temporary, version=np.array(version), **arrays)


def read_cache(path: Path, version: int) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays; None if the file is missing, damaged or has another version."""
    try:
        arrays = read_arrays(path)
        return arrays if int(arrays["version"]) == version else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """All arrays of an .npz file that archspec wrote. Raises OSError and ValueError, also for a damaged file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (EOFError, zipfile.BadZipFile, zlib.error, TypeError) as error:
        raise ValueError(f"{path} is damaged") from error
