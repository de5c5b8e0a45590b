"""Functions of `keras.ops` that several operators compute, and functions that Keras has as a layer, too."""

from __future__ import annotations

import math
from typing import Any

from archspec.diagnostics import counted
from archspec.ops.base import KEEP_BATCH, OpError
from archspec.runtime.from_keras.reading import Reading

MOST_COPIES = 8
"""Most copies of a layer that `keras.ops.tile` and `keras.ops.repeat` are written with."""
SMALLEST = 1e-7
"""Length of the shortest vector that `keras.ops.normalize` brings to length 1 by default."""


def axes_of(reading: Reading) -> list[int]:
    """The axes of a reduction, counted from 1. Raises OpError for the batch axis."""
    rank = len(reading.nodes[reading.inputs[0]].shape)
    given = reading.layer.axis
    axes = [axis % (rank + 1) for axis in ([given] if isinstance(given, int) else given or [0])]
    if 0 in axes:
        raise OpError("it reduces the batch axis, too", help=KEEP_BATCH)
    return axes


def reduced(reading: Reading, name: str, node: int) -> int:
    """A reduction of the node along the axes of the function."""
    axes = axes_of(reading)
    keepdims = bool(getattr(reading.layer, "keepdims", False))
    return reading.add(name, node, axis=axes[0] if len(axes) == 1 else axes, keepdims=keepdims)


def standard_deviation(reading: Reading) -> int:
    """`keras.ops.std`: the root of the variance."""
    return reading.add("sqrt", reduced(reading, "reduce_variance", reading.inputs[0]))


def norm(reading: Reading) -> int:
    """`keras.ops.norm` of vectors: the sum of absolute values, or the root of the sum of squares."""
    order, axes = reading.layer.ord, axes_of(reading)
    if len(axes) > 1 or order not in (None, 1, 2):
        raise OpError(f"it is the norm of matrices, or of order {order}", help="use order 1 or 2, and one axis")
    if order == 1:
        return reduced(reading, "reduce_sum", reading.add("abs"))
    return reading.add("sqrt", reduced(reading, "reduce_sum", reading.add("square")))


def normalize(reading: Reading) -> int:
    """`keras.ops.normalize`: vectors of length 1; of another order or epsilon, a division by the norm or epsilon."""
    order, axes = reading.layer.order, axes_of(reading)
    epsilon = SMALLEST if reading.layer.epsilon is None else reading.layer.epsilon
    if order not in (1, 2) or (order == 1 and len(axes) > 1):
        raise OpError(f"its order is {order}, along {counted(len(axes), 'axis')}", help="use order 2, or 1 on one axis")
    if order == 2 and epsilon <= SMALLEST:
        return reading.add("unit_norm", axis=axes[0] if len(axes) == 1 else axes)
    total = reading.add(
        "reduce_sum",
        reading.add("abs" if order == 1 else "square"),
        axis=axes[0] if len(axes) == 1 else axes,
        keepdims=True,
    )
    length = total if order == 1 else reading.add("sqrt", total)
    divisor = reading.add("threshold", length, threshold=epsilon, default_value=epsilon)
    return reading.add("divide", reading.inputs[0], divisor)


def average(reading: Reading) -> int:
    """`keras.ops.average` without weights: a mean."""
    if any(value is not None for value in reading.given[1:]):
        raise OpError("its values have weights", help="use `ops.mean`, or multiply by the weights and use `ops.sum`")
    return reduced(reading, "reduce_mean", reading.inputs[0])


def limit(reading: Reading, number: float) -> int:
    """max(x, number) or min(x, number)."""
    if reading.call.kind == "Maximum":
        return reading.add("threshold", threshold=number, default_value=number) if number else reading.add("relu")
    above = reading.add("threshold", reading.add("negative"), threshold=-number, default_value=-number)
    return reading.add("negative", above)


def whole_power(reading: Reading, number: int) -> int:
    """x to a power from 1 to 4, by squares and products."""
    node = reading.inputs[0]
    if number == 1:
        return node
    square = reading.add("square", node)
    if number == 2:
        return square
    return reading.add("multiply", square, node) if number == 3 else reading.add("square", square)


def exponential(reading: Reading, base: float) -> int:
    """base ** x = exp(x log(base))."""
    if base <= 0:
        raise OpError(f"its base is {base:g}", help="use a base above 0")
    return reading.add("exp", reading.add("rescale", scale=math.log(base)))


def log_of_one_more(reading: Reading) -> int:
    """`keras.ops.log1p`."""
    return reading.add("log", reading.add("rescale", scale=1.0, offset=1.0))


def exp_minus_one(reading: Reading) -> int:
    """`keras.ops.expm1`."""
    return reading.add("rescale", reading.add("exp"), scale=1.0, offset=-1.0)


def pool(reading: Reading) -> int:
    """`keras.ops.max_pool` and `keras.ops.average_pool`."""
    layer = reading.layer
    if layer.data_format == "channels_first":
        raise OpError("it has channels first", help="use `data_format='channels_last'`")
    given = {
        word: _plain(getattr(layer, word)) for word in ("pool_size", "strides") if getattr(layer, word) is not None
    }
    return reading.add("maxpool" if "Max" in reading.call.kind else "avgpool", **given, padding=layer.padding)


def _plain(sizes: Any) -> Any:
    """One number for equal sizes."""
    found = [sizes] if isinstance(sizes, int) else [*sizes]
    return found[0] if len({*found}) == 1 else found


def resize(reading: Reading) -> int:
    """`keras.ops.image.resize` to a fixed size."""
    layer = reading.layer
    for word in ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"):
        if getattr(layer, word):
            raise OpError(f"it has `{word}`, which `resizing` has not", help=f"use it without `{word}`")
    if layer.data_format == "channels_first":
        raise OpError("it has channels first", help="use `data_format='channels_last'`")
    height, width = layer.size
    return reading.add("resizing", height=height, width=width, interpolation=layer.interpolation)


def tile(reading: Reading) -> int:
    """`keras.ops.tile`: copies one after the other along each axis."""
    node = reading.inputs[0]
    rank = len(reading.nodes[node].shape)
    given = reading.layer.repeats
    repeats = [given] if isinstance(given, int) else [*given]
    repeats = [1] * (rank + 1 - len(repeats)) + repeats
    if len(repeats) > rank + 1 or repeats[0] != 1:
        raise OpError("it repeats the images of the batch", help=KEEP_BATCH)
    for axis, number in enumerate(repeats[1:], 1):
        if not 0 < number <= MOST_COPIES:
            raise OpError(f"it has {number} copies along axis {axis}, and a spec at most {MOST_COPIES}")
        if number > 1:
            node = reading.add("concat", *[node] * number, axis=-1 if axis == rank else axis)
    return node


def repeat(reading: Reading) -> int:
    """`keras.ops.repeat`: each position of an axis several times."""
    node, number = reading.inputs[0], reading.layer.repeats
    shape = reading.nodes[node].shape
    rank = len(shape)
    if reading.layer.axis is None or not reading.layer.axis % (rank + 1):
        raise OpError("it repeats the images of the batch", help=KEEP_BATCH)
    if not isinstance(number, int):
        raise OpError("it repeats each position another number of times", help="use one number of `repeats`")
    axis = reading.layer.axis % (rank + 1)
    if axis == rank:
        if shape[-1] is None or shape[-1] * number > MOST_COPIES**2:
            raise OpError(f"it gives more than {MOST_COPIES**2} channels", help="use `layers.Dense` or a convolution")
        return reading.add("select_channels", indices=[each for each in range(shape[-1]) for _ in range(number)])
    return reading.add(
        "upsample", size=[number if each == axis else 1 for each in range(1, rank)] if rank > 2 else number
    )


def softmax(reading: Reading) -> int | None:
    """A softmax over several axes that are next to each other, as over one; None for a single axis."""
    axes = getattr(reading.layer, "axis", -1)
    if isinstance(axes, int):
        return None
    shape = reading.nodes[reading.inputs[0]].shape
    wanted = sorted({axis % (len(shape) + 1) for axis in axes})
    first, last = wanted[0], wanted[-1]
    if not first or wanted != list(range(first, last + 1)) or None in shape:
        raise OpError(f"its axes are {', '.join(map(str, axes))}", help="use axes of known size next to each other")
    if first == last:
        return reading.add("softmax", axis=-1 if first == len(shape) else first)
    joined = [*shape[: first - 1], -1, *shape[last:]]
    over = reading.add("softmax", reading.add("reshape", target_shape=joined), axis=-1 if last == len(shape) else first)
    return reading.add("reshape", over, target_shape=list(shape))
