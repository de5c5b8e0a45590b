"""One checkpoint as one file: the safetensors format, with the state of the run and a checksum in its metadata.

The checksum is SHA-256 over the state and all arrays, so that a file that was cut short or damaged is rejected.
Nothing in a checkpoint is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.system.atomic_write import atomic

FORMAT = "archspec checkpoint 2"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a step: the arrays of its variables by name, in order, and everything else as JSON."""

    arrays: Mapping[str, npt.NDArray[Any]]
    state: Mapping[str, Any]


class DamagedCheckpointError(Exception):
    """A file is not a valid checkpoint; the message is a phrase such as "its checksum is wrong"."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; it is on the disk when this returns.

    Raises:
        ArchspecError: `cannot-write`.
    """
    from safetensors.numpy import save_file

    # the library writes the memory of an array as it is; ascontiguousarray would make a vector of a scalar
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    state = json.dumps(checkpoint.state)
    metadata = {
        "format": FORMAT,
        "state": state,
        # safetensors sorts the names
        "arrays": json.dumps([(name, array.dtype.name) for name, array in arrays.items()]),
        "sha256": _digest(state, arrays),
    }
    # the library's NumPy interface has no bfloat16
    stored = {
        name: array.view(np.uint16) if array.dtype.name == "bfloat16" else array for name, array in arrays.items()
    }
    with atomic(path) as temporary:
        save_file(stored, temporary, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file and verify its checksum.

    Raises:
        DamagedCheckpointError: the file is missing, damaged, or not a checkpoint of this format.
    """
    import ml_dtypes  # a dependency of Keras, which has the type that NumPy lacks
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    try:
        tensors = load(path.read_bytes())
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        if metadata["format"] != FORMAT:
            raise DamagedCheckpointError("it was written by an incompatible version of archspec")
        types = {"bfloat16": ml_dtypes.bfloat16}
        arrays = {
            name: tensors.pop(name).view(types.get(dtype, dtype)) for name, dtype in json.loads(metadata["arrays"])
        }
        if tensors or _digest(metadata["state"], arrays) != metadata["sha256"]:
            raise DamagedCheckpointError("its checksum is wrong")
        return Checkpoint(arrays, json.loads(metadata["state"]))
    except OSError as error:
        raise DamagedCheckpointError((error.strerror or str(error)).lower()) from error
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError("it is damaged, or not a checkpoint of archspec") from error


def _digest(state: str, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    entries = [(name, array.dtype.name, array.shape) for name, array in arrays.items()]
    digest = hashlib.sha256(json.dumps([FORMAT, state, entries]).encode())
    for array in arrays.values():
        digest.update(array.tobytes())
    return digest.hexdigest()
