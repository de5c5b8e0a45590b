"""One checkpoint as one file: the safetensors format, with the state of the run and a checksum in its metadata.

u64 length of the header | {"__metadata__": {...}, "conv/kernel": {"dtype", "shape", "data_offsets"}, ...} | data.
The checksum is SHA-256 over the state, the descriptions of the tensors and the data, so that a file that was cut short
or damaged anywhere is found out. Nothing in a checkpoint is ever run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.system.atomic_write import atomic

FORMAT = "archspec checkpoint 2"
HEADER_BYTES = 100_000_000  # the limit of safetensors
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
}
NAMES = {short: name for name, short in DTYPES.items()}


@dataclass(frozen=True)
class Checkpoint:
    """A run at the end of a step: arrays by name, in a fixed order, and what else it needs to go on, as JSON."""

    arrays: Mapping[str, npt.NDArray[Any]]
    state: Mapping[str, Any]


class DamagedCheckpointError(Exception):
    """Why a file is no whole checkpoint, as a phrase: "its checksum is wrong"."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole or not at all; it is on the disk when this returns.

    Raises:
        ArchspecError: `cannot-write`.
    """
    # not ascontiguousarray, which makes a vector of a scalar
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    entries, offset = {}, 0
    for name, array in arrays.items():
        entries[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    state = json.dumps(checkpoint.state)
    digest = _digest(state, entries)
    for array in arrays.values():
        digest.update(_bytes(array))
    metadata = {"format": FORMAT, "state": state, "sha256": digest.hexdigest()}
    header = json.dumps({"__metadata__": metadata, **entries}).encode()
    header += b" " * (-len(header) % 8)
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for array in arrays.values():
            file.write(_bytes(array))


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint of a file, its checksum verified.

    Raises:
        DamagedCheckpointError: for anything but a whole checkpoint.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DamagedCheckpointError((error.strerror or str(error)).lower()) from error
    length = int.from_bytes(data[:8].tobytes(), "little")
    if len(data) < 8 or length > min(len(data) - 8, HEADER_BYTES):
        raise DamagedCheckpointError("it is cut short")
    try:
        entries = json.loads(data[8 : 8 + length].tobytes())
        metadata = entries.pop("__metadata__")
        if metadata["format"] != FORMAT:
            raise DamagedCheckpointError("it was written by an incompatible version of archspec")
        body = data[8 + length :]
        digest = _digest(metadata["state"], entries)
        digest.update(body)
        if digest.hexdigest() != metadata["sha256"]:
            raise DamagedCheckpointError("its checksum is wrong")
        return Checkpoint({name: _array(body, entry) for name, entry in entries.items()}, json.loads(metadata["state"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedCheckpointError("it is no checkpoint of archspec") from error


def _digest(state: str, entries: Mapping[str, Any]) -> Any:
    """SHA-256 of all but the data."""
    return hashlib.sha256(json.dumps([FORMAT, state, entries], sort_keys=True).encode())


def _bytes(array: npt.NDArray[Any]) -> Any:
    """The memory of an array, little-endian."""
    return array.reshape(-1).view(np.uint8)


def _array(body: npt.NDArray[np.uint8], entry: Mapping[str, Any]) -> npt.NDArray[Any]:
    name = NAMES[entry["dtype"]]
    if name == "bfloat16":
        import ml_dtypes  # which Keras brings; NumPy has no such type

        dtype = np.dtype(ml_dtypes.bfloat16)
    else:
        dtype = np.dtype(name)
    start, stop = entry["data_offsets"]
    if stop - start != math.prod(entry["shape"]) * dtype.itemsize:
        raise ValueError("a tensor does not fill its place")
    array: npt.NDArray[Any] = body[start:stop].copy().view(dtype).reshape(entry["shape"])
    return array
