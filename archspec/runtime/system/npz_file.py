"""Arrays of an .npz file, which may come from a stranger: nothing is unpickled, and all sizes are checked first."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import printable
from archspec.format import byte_size
from archspec.runtime.system.memory import free_memory

SUFFIX = ".npy"
CHUNK = 2**20
MOST_HEADER = 10_000
"""Bytes of the header of an array, as in NumPy."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
DAMAGE = (
    *(ValueError, TypeError, LookupError, ArithmeticError, SyntaxError, RuntimeError, MemoryError, EOFError),
    *(OSError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
"""What zipfile and the parser of NumPy's headers raise for damaged files."""


class NpzError(ValueError):
    """Why a file or an array cannot be read, as a phrase that follows its name: "is damaged"."""

    def __init__(self, reason: str, *, damaged: bool = True) -> None:
        super().__init__(reason)
        self.damaged = damaged


class NpzFile:
    """An open .npz file; each array is read when it is needed."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        twice = next((name for name, count in Counter(archive.namelist()).items() if count > 1), None)
        if twice is not None:
            raise NpzError(f"has two arrays `{printable(twice.removesuffix(SUFFIX))}`")
        self.names = {name.removesuffix(SUFFIX) for name in archive.namelist() if name.endswith(SUFFIX)}

    def read(self, name: str) -> npt.NDArray[Any]:
        """An array of numbers or texts. Raises NpzError."""
        with _as_damage():
            member = self._archive.getinfo(name + SUFFIX)
            if member.file_size > free_memory():  # a compressed file of 1 MB can hold a gigabyte
                fact = f"needs {byte_size(member.file_size)} of memory, but {byte_size(free_memory())} are free"
                raise NpzError(fact, damaged=False)
            with self._archive.open(member) as file:
                shape, in_columns, dtype = _header(file)
                size = math.prod(shape) * dtype.itemsize
                if size > member.file_size:
                    raise NpzError("is damaged")
                array = np.frombuffer(_contents(file, size), dtype) if size else np.empty(math.prod(shape), dtype)
                return array.reshape(shape[::-1]).T if in_columns else array.reshape(shape)


@contextmanager
def open_npz(path: Path) -> Iterator[NpzFile]:
    """Open a file. Raises OSError, and NpzError if it is no .npz file."""
    with path.open("rb") as file:
        with _as_damage("is not an .npz file"):
            archive = NpzFile(zipfile.ZipFile(file))
        yield archive


def _contents(file: IO[bytes], size: int) -> bytearray:
    """The rest of a file, which must have this size; its end is read, so that the checksum is compared."""
    contents = bytearray(size)
    view, at = memoryview(contents), 0
    while found := file.readinto(view[at : at + CHUNK]):  # type: ignore[attr-defined]
        at += found
    if at != size or file.read(1):
        raise NpzError("is damaged")
    return contents


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether the order is Fortran's, and dtype."""
    read_header = HEADERS.get(np.lib.format.read_magic(file))
    if read_header is None:
        raise NpzError("is damaged")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of files that Python 2 wrote
        shape, in_columns, dtype = read_header(file, max_header_size=MOST_HEADER)
    if dtype.hasobject:
        raise NpzError("contains Python objects, which archspec does not unpickle", damaged=False)
    if not all(0 <= size < 2**63 for size in shape) or (not dtype.itemsize and math.prod(shape) > MOST_HEADER):
        raise NpzError("is damaged")
    return shape, in_columns, dtype


@contextmanager
def _as_damage(reason: str = "is damaged") -> Iterator[None]:
    try:
        yield
    except NpzError:
        raise
    except DAMAGE:
        raise NpzError(reason) from None
