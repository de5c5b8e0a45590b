"""Groups and datasets of HDF5 files, which can link to other files: only those stored in the file itself are read."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail

HELP = "check that the file is complete; download or save it again"
ERRORS = (
    *(OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError, OverflowError, MemoryError),
    *(EOFError, zipfile.BadZipFile, zlib.error),
)
"""What h5py raises for damaged bytes, wherever they are; and zipfile, for an HDF5 file in a `.keras` file."""


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Turn what h5py raises inside into `weights-damaged`."""
    try:
        yield
    except ERRORS as error:
        reason = (str(error).strip("'\"") or type(error).__name__).splitlines()[0][:200]
        raise fail("weights-damaged", f"`{path}` is damaged: {reason}", help=HELP) from error


def is_group(group: Any, name: str) -> bool:
    """Whether the file itself contains a group of that name."""
    import h5py

    return isinstance(group.get(name, getlink=True), h5py.HardLink) and isinstance(group[name], h5py.Group)


def stored_dataset(group: Any, name: str) -> Any:
    """The dataset of that name if it is an array of numbers in this file; None for links to other files."""
    import h5py

    link = group.get(name, getlink=True)
    dataset = group[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        return None
    return dataset if dataset.dtype.kind in "fiu" or _is_bfloat16(dataset.dtype) else None


def _is_bfloat16(dtype: Any) -> bool:
    return bool(dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None)


def read_array(dataset: Any) -> Any:
    """The numbers of a dataset, float32. Raises ValueError if it claims more numbers than the file has bytes."""
    import ml_dtypes
    import numpy as np

    size = math.prod(dataset.shape)
    if size > 64 * dataset.file.id.get_filesize() + 4096:
        raise ValueError(f"`{dataset.name}` has {size:,} numbers, more than the file can contain")
    found = dataset[()]
    return np.asarray(found.view(ml_dtypes.bfloat16) if _is_bfloat16(dataset.dtype) else found).astype("float32")


def strings(attributes: Any, name: str) -> list[str]:
    """The strings of an attribute. Keras splits long ones into several: layer_names0, layer_names1, ..."""
    found: list[str] = []
    parts = [name] if name in attributes else []
    while f"{name}{len(parts)}" in attributes:
        parts.append(f"{name}{len(parts)}")
    for part in parts:
        found += [word.decode() if isinstance(word, bytes) else str(word) for word in attributes[part]]
    return found
