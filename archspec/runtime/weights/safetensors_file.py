"""Files of the safetensors format, read by the library of that name. Nothing in them is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors

from archspec.diagnostics import fail
from archspec.runtime.weights.unit import Tensor

HEADER_BYTES = 10_000_000
"""The library needs ten times the memory of a header; that of ten thousand tensors has about 1 MB."""
DTYPES = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"}
"""Types of numbers that become float32."""


@contextmanager
def safetensors_file(path: Path) -> Iterator[dict[str, Tensor]]:
    """The tensors by name, readable until the end of the block. Raises ArchspecError (not-weights)."""
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16

    with path.open("rb") as beginning:
        length = int.from_bytes(beginning.read(8), "little")
    if length > HEADER_BYTES:
        raise _refused(path, f"its header has {length:,} bytes, more than {HEADER_BYTES:,}")
    try:
        file: Any = safetensors.safe_open(path, framework="np")
    except safetensors.SafetensorError as error:
        raise _refused(path, str(error)) from error
    with file:
        tensors = {}
        for name in file.keys():  # noqa: SIM118 - it is no dictionary
            part = file.get_slice(name)
            if part.get_dtype() not in DTYPES:
                raise _refused(path, f"`{name}` is of the type {part.get_dtype()}")
            tensors[name] = Tensor(name, tuple(part.get_shape()), _reader(file, name))
        yield tensors


def _reader(file: Any, name: str) -> Callable[[], Any]:
    return lambda: file.get_tensor(name).astype("float32")


def _refused(path: Path, reason: str) -> Exception:
    message = f"`{path}` cannot be read as a safetensors file: {reason}"
    return fail("not-weights", message, help="check that the file is complete; download or save it again")
