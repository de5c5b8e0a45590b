"""Quantized weights, which are integers with a scale elsewhere: they are refused, not read as plain numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.weights.matching import Slot, Unit

QUANTIZED = re.compile(r"torch\.Q\w+Storage|_rebuild_qtensor|quantiz|torchao|bitsandbytes|[Ff]loat[48]|torch\.qu?int")
"""Names in a pickle that quantized tensors have."""
PACKED = ("int8", "uint8", "int4", "uint4", "float8", "float4")


def quantized(source: str, fact: str) -> ArchspecError:
    """The error for a file with quantized weights."""
    return fail(
        "weights-quantized",
        f"the weights of `{source}` are quantized" + f": {fact}" * bool(fact),
        help="give the weights in float32, float16 or bfloat16, from before the quantization",
    )


def check_pairs(pairs: Iterable[tuple[Slot, Unit]], source: str) -> None:
    """Raises `weights-quantized` if a layer would get integers."""
    for slot, unit in pairs:
        for variable, tensor in zip(slot.variables, unit.tensors, strict=True):
            if tensor.quantized and "float" in str(variable.dtype):
                raise quantized(source, f"`{tensor.name}` holds numbers of the type {tensor.dtype}")


def packed(units: Iterable[Unit]) -> str:
    """The name and type of a kernel of 8 bits or less a number; empty without one."""
    for unit in units:
        for tensor in unit.tensors:
            if len(tensor.shape) > 1 and tensor.dtype.startswith(PACKED):
                return f"`{tensor.name}` holds numbers of the type {tensor.dtype}"
    return ""
