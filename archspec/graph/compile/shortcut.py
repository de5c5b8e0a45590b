"""Shortcuts of a `residual`: the input, subsampled and padded to the shape of the body (option A of He et al. 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.diagnostics import Span
from archspec.graph.compile.builder import Builder, Scope

if TYPE_CHECKING:
    from fractions import Fraction


def pad(builder: Builder, x: int, body: int, scope: Scope, span: Span) -> int:
    """The input `x` in the output shape of the body, without parameters."""
    shape, wanted = builder.shape(x), builder.shape(body)
    if len(shape) != len(wanted):
        return x
    strides = []
    for axis, (size, smaller) in enumerate(zip(shape[:-1], wanted[:-1], strict=True)):
        free = size is None or smaller is None
        # without a stride the body only lacks padding: the shortcut stays as it is, and the error says so
        steps = _steps(builder, x, body, axis)
        strides.append(steps if free or steps == 1 else max(1, -(-size // smaller)))  # type: ignore[operator]
    if max(strides, default=1) > 1:
        path = scope.claim("subsample", span)
        x = builder.add("maxpool", {"pool_size": 1, "strides": tuple(strides)}, (x,), path, span)
    if (wanted[-1] or 0) > (shape[-1] or 0):
        path = scope.claim("pad_channels", span)
        x = builder.add("pad_channels", {"channels": wanted[-1]}, (x,), path, span)
    return x


def same_shape(builder: Builder, x: int, body: int) -> bool:
    """Whether the body keeps the shape of its input `x`; along free sizes, whether its stride is 1."""
    shape = builder.shape(x)
    free = [axis for axis, size in enumerate(shape) if size is None]
    return shape == builder.shape(body) and all(_steps(builder, x, body, axis) == 1 for axis in free)


def _steps(builder: Builder, x: int, body: int, axis: int) -> int:
    """The total stride between `x` and `body` along an axis."""
    steps: int | Fraction = 1
    while body > x:
        node = builder.nodes[body]
        view = node.op.view(*(builder.shape(i) for i in node.inputs))
        steps *= view[axis].stride if isinstance(view, tuple) and axis < len(view) else 1
        body = node.inputs[0]
    return max(1, int(steps))
