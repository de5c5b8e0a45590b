"""Arrays that are kept in the cache folder, to be made only once."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import ArchspecError
from archspec.runtime.system.atomic_write import atomic


def keep(place: Path, version: int, **arrays: Any) -> None:
    """Write arrays of any shapes to an .npz file, with the `version` of what they mean.

    Where that cannot be written nothing is kept, without an error: they are only made again.
    """
    with contextlib.suppress(ArchspecError, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic(place) as temporary:
            np.savez_compressed(temporary, version=np.array(version), **arrays)
