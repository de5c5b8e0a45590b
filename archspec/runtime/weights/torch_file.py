"""Files of `torch.save`, in the zip format and the format before PyTorch 1.6. No code in them is run."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16
import numpy as np

from archspec.diagnostics import fail
from archspec.runtime.weights.matching import Tensor
from archspec.runtime.weights.state_pickle import DTYPES, Name, PickleError, Storage, View, read_pickle


def item_size(dtype: str) -> int:
    """Bytes of one number of a type that NumPy knows, or bfloat16."""
    return np.dtype(dtype).itemsize


def array_of(data: bytes, dtype: str, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Any:
    """The array of that shape, float32; `offset` and `strides` count items, and are checked against the data.

    Raises ValueError when the data is shorter than the array.
    """
    if 0 in shape:
        return np.zeros(shape, "float32")
    flat = np.frombuffer(data, dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= len(flat):
        raise ValueError("a tensor extends past the end of its data")
    steps = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).astype("float32")


PICKLE_BYTES = 64 << 20  # of the part without numbers; a network of ten thousand tensors has 2 MB
MAGIC = 0x1950A86A20F9469CFC6C
"""The first number in a file of PyTorch before 1.6."""
INSIDE = ("state_dict", "model_state_dict", "state_dict_ema", "model_ema", "model", "module", "net")
"""Keys under which training checkpoints keep the weights."""
PREFIXES = ("module.", "_orig_mod.", "model.")
"""Prefixes that wrappers add to every name: DataParallel, torch.compile, trainers."""

Bytes = Callable[[str], bytes]


@contextmanager
def torch_file(path: Path) -> Iterator[dict[str, Tensor]]:
    """The tensors of a state dict by name, in its order, readable until the end of the block.

    Raises ArchspecError: weights-unsafe where the file calls anything, not-weights for any other file.
    """
    with path.open("rb") as file, ExitStack() as stack:
        with _refusing(path):
            if zipfile.is_zipfile(file):
                value, read = _zip_form(stack.enter_context(zipfile.ZipFile(file)))
            else:
                file.seek(0)
                value, read = _old_form(file, path.stat().st_size)
        yield _state(path, value, read)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn the exceptions of a damaged or foreign file into an error that names it."""
    try:
        yield
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, struct.error, NotImplementedError) as error:
        if isinstance(error, PickleError) and error.unsafe:
            raise fail(
                "weights-unsafe",
                f"`{path}` calls `{error.unsafe}`, which no state dict needs",
                notes=["it was not called: archspec reads pickles without running them"],
                help="save the weights alone, with `torch.save(model.state_dict(), ...)` or as .safetensors",
            ) from error
        raise fail(
            "not-weights",
            f"`{path}` cannot be read as a file of torch.save: {error}",
            help="give a state dict that `torch.save(model.state_dict(), ...)` wrote",
        ) from error


def _zip_form(archive: zipfile.ZipFile) -> tuple[Any, Bytes]:
    """NAME/data.pkl, and the storages NAME/data/0, NAME/data/1, ..., uncompressed."""
    names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1:
        raise PickleError("the zip file has no data.pkl")
    folder = names[0].removesuffix("data.pkl")
    if archive.getinfo(names[0]).file_size > PICKLE_BYTES:
        raise PickleError("its data.pkl is too large")
    order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in archive.namelist() else b"little"
    if order != b"little":
        raise PickleError("its numbers are big-endian")

    def storage(identity: Any) -> Storage:
        kept = _storage(identity)
        member = archive.getinfo(f"{folder}data/{kept.key}")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size < kept.size * item_size(kept.dtype):
            raise PickleError(f"the storage {kept.key} is truncated")
        return kept

    value = read_pickle(io.BytesIO(archive.read(names[0])), storage)
    return value, lambda key: archive.read(f"{folder}data/{key}")


def _old_form(file: IO[bytes], size: int) -> tuple[Any, Bytes]:
    """A magic number, a version, properties of the machine; the pickle; the keys; each storage after its size."""
    nothing: Callable[[Any], Storage] = _storage
    if read_pickle(file, nothing) != MAGIC:
        raise PickleError("not a PyTorch file")
    for _ in ("version", "properties of the machine"):
        read_pickle(file, nothing)
    storages: dict[str, Storage] = {}

    def storage(identity: Any) -> Storage:
        kept = _storage(identity)
        return storages.setdefault(kept.key, kept)

    value = read_pickle(file, storage)
    places: dict[str, tuple[int, int]] = {}
    for key in read_pickle(file, nothing):
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


def _storage(identity: Any) -> Storage:
    """('storage', torch.FloatStorage, key, device, size[, view])."""
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise PickleError("a persistent ID does not name a storage")
    _, kind, key, _, size, *view = identity
    if not isinstance(kind, Name) or kind.text.removeprefix("torch.") not in DTYPES or any(view):
        raise PickleError("a storage has an unknown type")
    if not isinstance(key, str) or not isinstance(size, int) or size < 0:
        raise PickleError("a storage has no size")
    return Storage(DTYPES[kind.text.removeprefix("torch.")], key, size)


def _state(path: Path, value: Any, read: Bytes) -> dict[str, Tensor]:
    for key in INSIDE:
        if isinstance(value, dict) and isinstance(value.get(key), dict) and _views(value[key]):
            value = value[key]
            break
    views = _views(value)
    if not views:
        raise fail(
            "not-weights", f"`{path}` contains no tensors", help="save them with `torch.save(model.state_dict(), ...)`"
        )
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in views):
            views = {name.removeprefix(prefix): view for name, view in views.items()}
    return {name: Tensor(name, view.shape, partial(_read, path, view, read)) for name, view in views.items()}


def _views(value: Any) -> dict[str, View]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: view for name, view in pairs if isinstance(name, str) and isinstance(view, View)}


def _read(path: Path, view: View, read: Bytes) -> Any:
    with _refusing(path):
        return array_of(read(view.storage.key), view.storage.dtype, view.shape, view.offset, view.strides)
