"""Files of `torch.save`, in the zip format and the older one, and plain pickles. No code in them is run."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16
import numpy as np

from archspec.diagnostics import fail
from archspec.runtime.models.untrusted.file_limits import MEMBERS, PICKLE_BYTES, pickle_steps, read_member
from archspec.runtime.weights.matching import Tensor
from archspec.runtime.weights.quantized import QUANTIZED, quantized
from archspec.runtime.weights.state_pickle import Array, PickleError, Storage, View, read_pickle, storage_of
from archspec.runtime.weights.weight_sets import WeightSet, find_sets

MAGIC = 0x1950A86A20F9469CFC6C
"""The first number in a file of PyTorch before 1.6."""
HELP = "give a state dict that `torch.save(model.state_dict(), ...)` wrote"

ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, KeyError, ValueError),
    *(NotImplementedError, RuntimeError, MemoryError, OverflowError),
)
"""What zipfile, zlib and NumPy raise for damaged bytes, encryption, and offsets outside of the file."""

Bytes = Callable[[str], bytes]


def item_size(dtype: str) -> int:
    """Bytes of one number of a type that NumPy knows, or bfloat16."""
    return np.dtype(dtype).itemsize


def array_of(data: bytes, dtype: str, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Any:
    """The array of that shape, float32; `offset` and `strides` count items, and are checked against the data.

    Raises ValueError when the data is shorter than the array.
    """
    if 0 in shape:
        return np.zeros(shape, "float32")
    flat = np.frombuffer(data[: len(data) // item_size(dtype) * item_size(dtype)], dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= len(flat):
        raise ValueError("a tensor extends past the end of its data")
    steps = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).astype("float32")


@contextmanager
def torch_file(path: Path) -> Iterator[list[WeightSet]]:
    """The sets of weights in the file, those without an average first, readable until the end of the block.

    Raises:
        ArchspecError: `weights-unsafe` if the file calls a function, `weights-damaged`, `not-weights` without tensors.
    """
    with path.open("rb") as file, ExitStack() as stack:
        with _refusing(path):
            size = path.stat().st_size
            if zipfile.is_zipfile(file):
                value, read = _zip_form(stack.enter_context(zipfile.ZipFile(file)), size)
            else:
                file.seek(0)
                value, read = _old_form(file, size)
            read = lru_cache(maxsize=2)(read)  # many tensors can be views of one storage
            sets = find_sets(value, lambda name, tensor: _tensor(path, name, tensor, read))
        if not sets:
            raise fail("not-weights", f"`{path}` contains no tensors", help=HELP)
        yield sets


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn the exceptions of a damaged or foreign file into an error that names it."""
    try:
        yield
    except PickleError as error:
        if QUANTIZED.search(f"{error.unsafe or error}"):
            raise quantized(str(path), "") from error
        if error.unsafe:
            raise fail(
                "weights-unsafe",
                f"`{path}` calls `{error.unsafe}`, which no state dict needs",
                notes=["it was not called: archspec reads pickles without running them"],
                help="save the weights alone, with `torch.save(model.state_dict(), ...)` or as .safetensors",
            ) from error
        raise _damaged(path, error) from error
    except ERRORS as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> Exception:
    reason = str(error).strip("'\"") or type(error).__name__
    return fail("weights-damaged", f"`{path}` cannot be read as a file of torch.save: {reason[:200]}", help=HELP)


def _zip_form(archive: zipfile.ZipFile, size: int) -> tuple[Any, Bytes]:
    """NAME/data.pkl, and the storages NAME/data/0, NAME/data/1, ..., uncompressed."""
    members = archive.namelist()
    names = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1 or len(members) > MEMBERS:
        raise PickleError("the zip file has no data.pkl")
    folder = names[0].removesuffix("data.pkl")
    order = read_member(archive, f"{folder}byteorder", 64) if f"{folder}byteorder" in members else b"little"
    if order != b"little":
        raise PickleError("its numbers are big-endian")

    def storage(identity: Any) -> Storage:
        kept = storage_of(identity)
        member = archive.getinfo(f"{folder}data/{kept.key}")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size < kept.size * item_size(kept.dtype):
            raise PickleError(f"the storage {kept.key} is truncated")
        return kept

    value = read_pickle(io.BytesIO(read_member(archive, names[0], PICKLE_BYTES)), storage, pickle_steps(size))
    return value, lambda key: archive.read(f"{folder}data/{key}")


def _old_form(file: IO[bytes], size: int) -> tuple[Any, Bytes]:
    """A magic number, a version, properties of the machine; the pickle; the keys; each storage after its size.

    A plain pickle, of NumPy arrays for example, has none of these.
    """

    def nothing(identity: Any) -> Storage:
        raise PickleError("a tensor is outside of the file")

    first = read_pickle(_Limited(file), nothing, pickle_steps(size))
    if first != MAGIC:
        if isinstance(first, dict):
            return first, lambda key: b""
        raise PickleError("not a PyTorch file")
    for _ in ("version", "properties of the machine"):
        read_pickle(_Limited(file), nothing)
    storages: dict[str, Storage] = {}

    def storage(identity: Any) -> Storage:
        kept = storage_of(identity)
        return storages.setdefault(kept.key, kept)

    value = read_pickle(_Limited(file), storage, pickle_steps(size))
    places: dict[str, tuple[int, int]] = {}
    keys = read_pickle(_Limited(file), nothing, pickle_steps(size))
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PickleError("it has no list of storages")
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        kept = storages[key]
        length = kept.size * item_size(kept.dtype)
        if count != kept.size or file.tell() + length > size:
            raise PickleError(f"the storage {key} is truncated")
        places[key] = (file.tell(), length)
        file.seek(length, io.SEEK_CUR)

    def read(key: str) -> bytes:
        start, length = places[key]
        file.seek(start)
        return file.read(length)

    return value, read


class _Limited:
    """A file whose single reads are limited: the lengths in a pickle may be anything."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.left = PICKLE_BYTES

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.left:
            raise PickleError("its pickle is too large")
        self.left -= size
        return self.file.read(size)

    def readline(self) -> bytes:
        line = self.file.readline(1 << 20)
        self.left -= len(line)
        return line


def _tensor(path: Path, name: str, tensor: View | Array, read: Bytes) -> Tensor:
    def array() -> Any:
        with _refusing(path):
            if isinstance(tensor, Array):
                return _plain_array(tensor)
            return array_of(read(tensor.storage.key), tensor.dtype, tensor.shape, tensor.offset, tensor.strides)

    return Tensor(name, tensor.shape, array, np.dtype(tensor.dtype).name)


def _plain_array(array: Array) -> Any:
    found = np.frombuffer(array.data or b"", array.dtype)
    return found.reshape(array.shape, order="F" if array.fortran else "C").astype("float32")
