"""The arithmetic of sliding windows: kernel size, stride, dilation and padding along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from archspec.declare import NATURAL, Schema, one_or_each
from archspec.ops.base import Dim, OpError, Shape, Window, per_axis, show

SIDES: Schema = {
    "description": "pixels on every side, one number for each axis, or [[before, after], ...]",
    **one_or_each({**NATURAL, "type": "integer"}),
    "items": {**NATURAL, "type": ["integer", "array"], "items": NATURAL, "minItems": 2, "maxItems": 2},
}


def padding_schema(*words: str) -> Schema:
    """A fragment for one of `words` or SIDES; `if` selects the alternative that an error is about."""
    return {
        "description": f"{', '.join(f'`{word}`' for word in words)}, or {SIDES['description']}",
        "if": {"type": "string"},
        "then": {"enum": list(words)},
        "else": {key: value for key, value in SIDES.items() if key != "description"},
    }


PADDING = padding_schema("valid", "same")

Pixels = tuple[tuple[int, int], ...]
Sizes = int | tuple[int, ...]


def explicit(sides: Any, rank: int, argument: str = "padding") -> Pixels:
    """Pixels on each side, ((before, after), ...) for each axis, from `1`, `[1, 2]` or `[[0, 1], [0, 1]]`.

    Raises OpError when a list does not have one item for each axis.
    """
    each = per_axis(sides, rank, argument)
    return tuple(side if isinstance(side, tuple) else (side, side) for side in each)


def before_and_after(size: Dim, window: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Pixels that `valid`, `same` or `causal` padding adds before and after an axis (`tf.nn.convolution`).

    `same` puts an odd pixel after the axis, and assumes that the stride divides a free size.
    """
    extent = (window - 1) * dilation + 1
    if padding == "causal":
        return extent - 1, 0
    if padding == "valid":
        return 0, 0
    if size is None:
        total = max(extent - stride, 0)
    else:
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def rounding_up(size: Dim, window: int, stride: int, before: int, after: int) -> int:
    """Pixels to add after an axis so that its output size is rounded up (`ceil_mode`).

    As in Caffe and PyTorch, the last window must start inside the axis or the padding before it.
    Raises OpError for a free size on which the number depends.
    """
    if size is None:
        if after + stride > window:
            raise OpError(
                "`ceil_mode` needs a known size with this window",
                "ceil_mode",
                "give `input` a fixed size, or use a window that is larger than `strides` plus the padding",
            )
        return stride - 1
    total = size + before + after
    steps = -(-(total - window) // stride)
    if steps * stride >= size + before:
        steps -= 1
    return max(0, steps * stride + window - total)


@lru_cache(maxsize=4096)  # a deep network has few different shapes
def slide(
    x: Shape,
    kernel: Any,
    strides: Any,
    padding: Any,
    dilation: Any = 1,
    kernel_arg: str = "kernel_size",
    ceil_mode: bool = False,
) -> tuple[tuple[Dim, ...], tuple[Window, ...]]:
    """Output sizes and the Window of each spatial axis of `x`, (..., C).

    H' = floor((H + before + after - extent) / stride) + 1 with extent = (kernel - 1) * dilation + 1, which is
    ceil(H / stride) for `same`; `ceil_mode` rounds up. Raises OpError when the window is larger than the padded input.
    """
    rank = len(x) - 1
    kernels = per_axis(kernel, rank, kernel_arg)
    steps = per_axis(strides, rank, "strides")
    dilations = per_axis(dilation, rank, "dilation_rate")
    pixels = None if isinstance(padding, str) else explicit(padding, rank)
    sizes: list[Dim] = []
    windows = []
    for axis, (size, k, s, d) in enumerate(zip(x[:-1], kernels, steps, dilations, strict=True)):
        before, after = pixels[axis] if pixels else before_and_after(size, k, s, d, padding)
        extent = (k - 1) * d + 1
        if size is not None and size + before + after < extent:
            padded = f" padded to {size + before + after}" if before + after else ""
            raise OpError(
                f"a window of {extent} does not fit into {size}{padded}: the input is {show(x)}",
                kernel_arg,
                "use a smaller window, `padding: same`, a larger input or smaller strides before this layer",
            )
        if ceil_mode:
            after += rounding_up(size, extent, s, before, after)
        sizes.append(None if size is None else (size + before + after - extent) // s + 1)
        windows.append(Window(k, s, before, d))
    return tuple(sizes), tuple(windows)


def is_same(kernel: Sequence[int], strides: Sequence[int], padding: Pixels, dilation: Sequence[int]) -> bool:
    """Whether the padding equals `same` for any input size: stride 1, an odd window, half of it on each side."""
    return all(
        s == 1 and (k - 1) * d % 2 == 0 and pixels == ((k - 1) * d // 2,) * 2
        for k, s, pixels, d in zip(kernel, strides, padding, dilation, strict=True)
    )


def bordered(keras: Any, layer: str, pixels: Pixels, name: str) -> Any:
    """Keras's ZeroPadding or Cropping layer of the rank of `pixels`."""
    rank = len(pixels)
    return getattr(keras.layers, f"{layer}{rank}D")(pixels[0] if rank == 1 else pixels, name=name)


def keras_padding(
    keras: Any, padding: Any, kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], name: str
) -> tuple[str, Any]:
    """The `padding` argument of a Keras convolution, and the padding layer of that name before it or None.

    Padding in pixels needs a separate layer unless it is zero or equals `same`.
    """
    if isinstance(padding, str):
        return padding, None
    pixels = explicit(padding, len(kernel))
    padded = any(map(any, pixels))
    if padded and is_same(kernel, strides, pixels, dilation):
        return "same", None
    return "valid", bordered(keras, "ZeroPadding", pixels, name) if padded else None
