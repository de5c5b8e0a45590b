"""Padding that depends on the image size, fixed to its value at one size.

Under a stride `padding: same` puts its zeros where the size demands: 3x3 with stride 2 reads 224 pixels from the first
on, and 225 from one before it. Windows that are to stand at the same pixels on a larger image need fixed sides.
"""

from __future__ import annotations

from typing import Any

from archspec.graph.compile.inference import made
from archspec.graph.rewrite.reinfer import changed
from archspec.ops.base import Op, OpError, Shape, per_axis
from archspec.ops.window import Pixels, before_and_after


def with_fixed_padding(op: Op, shape: Shape, *, same: bool = True) -> Op:
    """The operator with padding in pixels as on `shape`, if another size would change it.

    Of `avgpool` the `same` stays: its border does not count, and that of pixels does. So it does of every operator
    without `same`.
    """
    if op.name == "same_pad":
        return made("zero_pad", {"padding": op.sides(shape)})  # type: ignore[attr-defined]
    if same and getattr(op, "padding", None) == "same" and op.name != "avgpool":
        sides = _same_sides(op, shape)
        if sides is not None:
            return changed(op, padding=sides if any(map(any, sides)) else "valid")
    if getattr(op, "ceil_mode", False):
        return _rounding(op, shape)
    return op


def window_of(op: Any, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Window, strides and dilation of a convolution or pooling along each axis."""
    if hasattr(op, "pool_size"):
        window = per_axis(op.pool_size, rank, "pool_size")
        return window, window if op.strides is None else per_axis(op.strides, rank, "strides"), (1,) * rank
    window, strides = (per_axis(value, rank, "") for value in (op.kernel_size, op.strides))
    return window, strides, per_axis(op.dilation_rate, rank, "dilation_rate")


def _same_sides(op: Any, shape: Shape) -> Pixels | None:
    """The padding in pixels; None without strides, when it does not depend on the size."""
    window, strides, dilation = window_of(op, len(shape) - 1)
    if max(strides) == 1:
        return None
    axes = zip(shape[:-1], window, strides, dilation, strict=True)
    return tuple(before_and_after(size, k, s, d, "same") for size, k, s, d in axes)


def _rounding(op: Any, shape: Shape) -> Op:
    """The operator without `ceil_mode` if that has no effect at this size and is not defined for a free size."""
    free = (*(None,) * (len(shape) - 1), shape[-1])
    try:
        op.shape(free)
    except OpError:
        plain = changed(op, ceil_mode=False)
        if plain.shape(shape) == op.shape(shape):
            return plain
    return op  # type: ignore[no-any-return]
