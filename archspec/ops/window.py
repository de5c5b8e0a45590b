"""The arithmetic of sliding windows: kernel size, stride, dilation and padding along each axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archspec.declare import Schema
from archspec.ops.base import Dim, OpError, Shape, Window, per_axis, show

PADDING: Schema = {
    "description": "`valid`, `same`, pixels on every side, or [[before, after], ...] for each axis",
    "if": {"type": "string"},
    "then": {"enum": ["valid", "same", "causal"]},
    "else": {
        "type": ["integer", "array"],
        "minimum": 0,
        "minItems": 1,
        "maxItems": 3,
        "items": {
            "type": ["integer", "array"],
            "minimum": 0,
            "items": {"type": "integer", "minimum": 0},
            "minItems": 2,
            "maxItems": 2,
        },
    },
}

Pixels = tuple[tuple[int, int], ...]


def explicit(padding: Any, rank: int) -> Pixels:
    """Padding in pixels as ((before, after), ...) for each axis: `1`, `[1, 2]` and `[[0, 1], [0, 1]]` alike.

    Raises OpError when a list has another length than the rank.
    """
    sides = padding if isinstance(padding, tuple) else (padding,) * rank
    if len(sides) != rank:
        raise OpError(f"`padding` has {len(sides)} values for {rank} spatial axes", "padding")
    return tuple(side if isinstance(side, tuple) else (side, side) for side in sides)


def before_and_after(size: Dim, window: int, stride: int, dilation: int, padding: str) -> tuple[int, int]:
    """Pixels that `same` or `causal` padding adds to an axis (`tf.nn.convolution`): the odd one goes after."""
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


def slide(
    x: Shape, kernel: Any, strides: Any, padding: Any, dilation: Any = 1, kernel_arg: str = "kernel_size"
) -> tuple[tuple[Dim, ...], tuple[Window, ...]]:
    """Output sizes and the Window of each spatial axis of `x`, (..., C).

    H' = floor((H + before + after - extent) / stride) + 1 with extent = (kernel - 1) * dilation + 1, which is
    ceil(H / stride) for `same`. Raises OpError where the window is larger than what it slides over.
    """
    rank = len(x) - 1
    kernels = per_axis(kernel, rank, kernel_arg)
    steps = per_axis(strides, rank, "strides")
    dilations = per_axis(dilation, rank, "dilation_rate")
    sizes: list[Dim] = []
    windows = []
    for axis, (size, k, s, d) in enumerate(zip(x[:-1], kernels, steps, dilations, strict=True)):
        if isinstance(padding, str):
            before, after = before_and_after(size, k, s, d, padding)
        else:
            before, after = explicit(padding, rank)[axis]
        extent = (k - 1) * d + 1
        if size is not None and size + before + after < extent:
            padded = f" padded to {size + before + after}" if before + after else ""
            raise OpError(
                f"a window of {extent} does not fit into {size}{padded}: the input is {show(x)}",
                kernel_arg,
                "use a smaller window, `padding: same`, a larger input or fewer strides before this layer",
            )
        sizes.append(None if size is None else (size + before + after - extent) // s + 1)
        windows.append(Window(k, s, before, d))
    return tuple(sizes), tuple(windows)


def is_same(kernel: Sequence[int], strides: Sequence[int], padding: Pixels, dilation: Sequence[int]) -> bool:
    """Whether pixels equal Keras's `same` at any input size: stride 1, an odd window, half of it on each side."""
    return all(
        s == 1 and (k - 1) * d % 2 == 0 and pixels == ((k - 1) * d // 2,) * 2
        for k, s, pixels, d in zip(kernel, strides, padding, dilation, strict=True)
    )


def ranked(keras: Any, name: str, rank: int) -> Any:
    """The Keras layer class of that rank: Conv -> Conv1D, Conv2D, Conv3D."""
    return getattr(keras.layers, f"{name}{rank}D")


def zero_padding(keras: Any, pixels: Pixels, name: str) -> Any:
    """Keras's ZeroPadding layer of the rank of `pixels`."""
    rank = len(pixels)
    return ranked(keras, "ZeroPadding", rank)(pixels[0] if rank == 1 else pixels, name=name)


def keras_padding(
    keras: Any, padding: Any, kernel: Sequence[int], strides: Sequence[int], dilation: Sequence[int], name: str
) -> tuple[Mapping[str, Any], Any]:
    """How to say `padding` to Keras: the layer's own argument, and a padding layer to put before it, or None.

    Padding in pixels needs a layer of its own unless it is none at all or equals `same`.
    """
    if isinstance(padding, str):
        return {"padding": padding}, None
    pixels = explicit(padding, len(kernel))
    if not any(map(any, pixels)):
        return {"padding": "valid"}, None
    if is_same(kernel, strides, pixels, dilation):
        return {"padding": "same"}, None
    return {"padding": "valid"}, zero_padding(keras, pixels, f"{name}.pad")
