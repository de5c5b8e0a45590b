"""Files of the safetensors format: a header in JSON, then the numbers.

u64 length of the header | {"name": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [0, 37632]}, ...} | data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from archspec.diagnostics import fail
from archspec.runtime.weights.arrays import array_of, item_size
from archspec.runtime.weights.unit import Tensor

HEADER_BYTES = 100_000_000  # the format's own limit
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


@contextmanager
def safetensors_file(path: Path) -> Iterator[dict[str, Tensor]]:
    """The tensors by name, readable until the end of the block. Raises ArchspecError (not-weights)."""
    with path.open("rb") as file:
        try:
            tensors = _tensors(file, path.stat().st_size)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            message = f"`{path}` is not a safetensors file: {_reason(error)}"
            raise fail("not-weights", message, help="is it whole? download or save it again") from error
        yield tensors


def _reason(error: Exception) -> str:
    return f"it lacks or does not know {error}" if isinstance(error, KeyError) else str(error)


def _tensors(file: IO[bytes], size: int) -> dict[str, Tensor]:
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, HEADER_BYTES):
        raise ValueError(f"its header would have {length:,} bytes, and the file has {size:,}")
    header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        dtype, shape, (start, stop) = DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        if not all(isinstance(number, int) and number >= 0 for number in (*shape, start, stop)):
            raise ValueError(f"`{name}` has impossible sizes")
        if stop - start != math.prod(shape) * item_size(dtype) or 8 + length + stop > size:
            raise ValueError(f"`{name}` is cut short")
        tensors[name] = Tensor(name, shape, _reader(file, 8 + length + start, stop - start, dtype, shape))
    return tensors


def _reader(file: IO[bytes], start: int, length: int, dtype: str, shape: tuple[int, ...]) -> Callable[[], Any]:
    def read() -> Any:
        file.seek(start)
        return array_of(file.read(length), dtype, shape)

    return read
