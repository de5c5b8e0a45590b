"""Bytes of a file as an array of float32, with every bound checked."""

from __future__ import annotations

from typing import Any

SIZES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}


def item_size(dtype: str) -> int:
    """Bytes of one number. Raises KeyError for a type that no weights have."""
    return SIZES[dtype]


def array_of(
    data: bytes, dtype: str, shape: tuple[int, ...], offset: int = 0, strides: tuple[int, ...] | None = None
) -> Any:
    """The array of that shape, float32; `offset` and `strides` count items, and are checked against the data.

    Raises ValueError when the data is shorter than the array.
    """
    import numpy as np

    flat = np.frombuffer(data, "<u2" if dtype == "bfloat16" else np.dtype(dtype).newbyteorder("<"))
    if strides is None:
        strides = tuple(np.cumprod((1, *shape[:0:-1]))[::-1].tolist()) if shape else ()
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True) if size)
    if 0 in shape:
        return np.zeros(shape, "float32")
    if last >= len(flat):
        raise ValueError("a tensor reaches beyond its data")
    view = np.lib.stride_tricks.as_strided(flat[offset:], shape, [stride * flat.itemsize for stride in strides])
    if dtype == "bfloat16":  # the upper half of a float32
        return (view.astype("uint32") << 16).view("float32")
    return view.astype("float32")
