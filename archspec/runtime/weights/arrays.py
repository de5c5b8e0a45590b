"""Bytes of a file as an array of float32, with every bound checked."""

from __future__ import annotations

from typing import Any


def item_size(dtype: str) -> int:
    """Bytes of one number of a type that NumPy knows, or bfloat16."""
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16
    import numpy as np

    return np.dtype(dtype).itemsize


def array_of(data: bytes, dtype: str, shape: tuple[int, ...], offset: int, strides: tuple[int, ...]) -> Any:
    """The array of that shape, float32; `offset` and `strides` count items, and are checked against the data.

    Raises ValueError when the data is shorter than the array.
    """
    import ml_dtypes  # noqa: F401 - teaches NumPy bfloat16
    import numpy as np

    if 0 in shape:
        return np.zeros(shape, "float32")
    flat = np.frombuffer(data, dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= len(flat):
        raise ValueError("a tensor extends past the end of its data")
    steps = [stride * flat.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).astype("float32")
