"""Files of safetensors, read by the library of that name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors

from archspec.diagnostics import fail
from archspec.runtime.models.untrusted.file_limits import HEADER_BYTES, MEMBERS, RANK, read_json
from archspec.runtime.weights.matching import Tensor
from archspec.runtime.weights.quantized import quantized

DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "BOOL": "bool",
    **{f"{kind}{bits}": f"{word}{bits}" for kind, word in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)},
}
"""Types of numbers that NumPy reads, by their names in the header."""


@contextmanager
def safetensors_file(path: Path) -> Iterator[dict[str, Tensor]]:
    """The tensors by name, readable until the end of the block. Raises ArchspecError (weights-damaged)."""
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16

    with path.open("rb") as beginning:
        length = int.from_bytes(beginning.read(8), "little")
        if length > HEADER_BYTES:
            raise _refused(path, f"its header has {length:,} bytes, more than {HEADER_BYTES:,}")
        try:
            header = read_json(beginning.read(length))
        except ValueError as error:
            raise _refused(path, f"its header is not JSON: {str(error)[:100]}") from error
    if not isinstance(header, dict) or len(header) > MEMBERS:
        raise _refused(path, "its header is not a dictionary of tensors")
    try:
        file: Any = safetensors.safe_open(path, framework="np")
    except (safetensors.SafetensorError, OSError) as error:
        raise _refused(path, str(error)[:200]) from error
    with file:
        tensors = {}
        for name in file.keys():  # noqa: SIM118 - it is not a dictionary
            entry = header[name]  # `get_slice` does not accept a scalar
            if entry["dtype"] not in DTYPES:
                raise quantized(str(path), f"`{name}` is of the type {entry['dtype']}")
            if len(entry["shape"]) > RANK:
                raise _refused(path, f"`{name}` has {len(entry['shape'])} axes")
            tensors[name] = Tensor(name, tuple(entry["shape"]), _reader(path, file, name), DTYPES[entry["dtype"]])
        yield tensors


def _reader(path: Path, file: Any, name: str) -> Callable[[], Any]:
    def read() -> Any:
        try:
            return file.get_tensor(name).astype("float32")
        except (safetensors.SafetensorError, ValueError, TypeError) as error:
            raise _refused(path, str(error)[:200]) from error

    return read


def _refused(path: Path, reason: str) -> Exception:
    message = f"`{path}` cannot be read as a safetensors file: {reason}"
    return fail("weights-damaged", message, help="check that the file is complete; download or save it again")
