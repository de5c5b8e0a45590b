"""Calls without an operator of their own: arithmetic with numbers, sums of scaled layers, layers without effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.diagnostics import listed
from archspec.graph.ir import AGAIN
from archspec.ops.base import OpError, plain, show
from archspec.ops.scale import PER_CHANNEL
from archspec.runtime.from_keras.functions import (
    average,
    exp_minus_one,
    exponential,
    limit,
    log_of_one_more,
    norm,
    normalize,
    pool,
    repeat,
    resize,
    softmax,
    standard_deviation,
    tile,
    whole_power,
)
from archspec.runtime.from_keras.indexing import (
    expand_dims,
    flip,
    get_item,
    move_axes,
    split,
    squeeze,
    stack,
    swap_axes,
    take,
    unstack,
)
from archspec.runtime.from_keras.reading import Reading


def merge(reading: Reading) -> int | None:
    """x + 3, x * 1 / 6; None for a merge of several layers."""
    import keras

    if len(reading.inputs) > 1:
        ranks = {len(reading.nodes[index].shape) for index in reading.inputs}
        if len(ranks) > 1 and not isinstance(reading.layer, keras.Layer):
            shapes = listed(show(reading.nodes[index].shape) for index in reading.inputs)
            raise OpError(
                f"its inputs {shapes} have different numbers of axes, so that Keras takes a batch axis for another one",
                help="add the missing axis with `ops.expand_dims(x, 1)`",
            )
        return None
    if reading.call.kind == "Average":
        return average(reading)
    value = _number(reading)
    if reading.call.kind == "Add":
        return reading.add("rescale", scale=1.0, offset=value)
    if reading.call.kind == "Multiply":
        return reading.add("rescale", scale=value)
    if not isinstance(value, (int, float)):
        raise OpError("it compares its input with one number for each channel", help="use one number")
    return limit(reading, value)


def subtract(reading: Reading) -> int:
    if len(reading.inputs) > 1:
        return reading.add("subtract")
    value = _number(reading)
    if _number_first(reading):  # 1 - x
        return reading.add("rescale", scale=-1.0, offset=value)
    return reading.add("rescale", scale=1.0, offset=_each(value, lambda number: -number))


def divide(reading: Reading) -> int:
    if len(reading.inputs) > 1:
        return reading.add("divide")
    value = _number(reading)
    if _number_first(reading):  # 1 / x
        return reading.add("rescale", reading.add("reciprocal"), scale=value)
    return reading.add("rescale", scale=_each(value, lambda number: 1 / number))


POWERS = {0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}


def power(reading: Reading) -> int:
    """x ** 2, x ** 0.5, 2 ** x, or a power of two layers."""
    if len(reading.inputs) > 1:
        return reading.add("power")
    value = _number(reading)
    if not isinstance(value, (int, float)):
        raise OpError("it has one exponent for each channel", help="use one exponent")
    if _number_first(reading):
        return exponential(reading, value)
    if value in POWERS:
        return reading.add(POWERS[value])
    if value in (1, 2, 3, 4):
        return whole_power(reading, int(value))
    raise OpError(f"its exponent is {value:g}", help="use the exponent -1, -0.5, 0.5, 1, 2, 3 or 4")


def _number_first(reading: Reading) -> bool:
    import keras

    return not isinstance(reading.given[0], keras.KerasTensor)


def _each(value: Any, function: Callable[[float], float]) -> Any:
    """The function of a number, or of one number for each channel. Raises OpError for a division by zero."""
    try:
        return tuple(map(function, value)) if isinstance(value, (tuple, list)) else function(value)
    except ZeroDivisionError:
        raise OpError("it divides by zero", help="use another number") from None


def _number(reading: Reading) -> Any:
    """The constant argument of the call: a number, or one for each channel."""
    import keras
    import numpy as np

    found = [value for value in reading.given if not isinstance(value, keras.KerasTensor) and value is not None]
    try:
        (value,) = found
        array = np.asarray(value, "float64")
    except (TypeError, ValueError):
        raise OpError("one of its arguments is neither a layer nor a number") from None
    if not np.isfinite(array).all():
        raise OpError("one of its numbers is NaN or infinite", help="use finite numbers")
    shape = reading.call.shape
    if array.size and (array == array.flat[0]).all():
        return float(array.flat[0])
    if not shape or not array.size == array.shape[-1] == shape[-1] or array.ndim > len(shape) + 1:
        raise OpError(
            f"it combines its input with an array of shape {show(array.shape)}",
            help="use one number, or one for each channel",
        )
    return plain(array.reshape(-1), PER_CHANNEL)


def matmul(reading: Reading) -> int | None:
    """None for a product of two layers."""
    if len(reading.inputs) > 1:
        return None
    raise OpError(
        "it multiplies its input by a matrix of numbers",
        help="use `layers.Dense(units, use_bias=False)` with this matrix as its kernel",
    )


def dot(reading: Reading) -> int | None:
    """None for `layers.Dot`."""
    if hasattr(reading.layer, "axes"):
        return None
    raise OpError("it multiplies every sample of one input with every sample of the other", help="use `ops.matmul`")


def pad(reading: Reading) -> int:
    """`keras.ops.pad` with zeros around the spatial axes."""
    batch, *pixels, channels = map(tuple, reading.layer.pad_width)
    fill = [value for value in reading.given[1:] if isinstance(value, (int, float)) and value]
    if reading.layer.mode != "constant" or fill or batch != (0, 0) or channels != (0, 0):
        raise OpError(
            "it pads the batch or the channels, or with other values than zeros",
            help="pad rows and columns with zeros, as `layers.ZeroPadding2D`",
        )
    return reading.add("zero_pad", padding=pixels)


def cast(reading: Reading) -> int:
    """A conversion to numbers with a fraction has no effect in a spec."""
    if "float" not in str(reading.layer.dtype):
        raise OpError(f"it converts its input to {reading.layer.dtype}")
    return reading.inputs[0]


def scaled_sum(reading: Reading) -> int:
    """x + scale y, a layer of keras.applications.inception_resnet_v2."""
    x, y = reading.inputs
    return reading.add("add", x, reading.add("rescale", y, scale=float(reading.layer.scale)))


def nothing(reading: Reading) -> int:
    """A layer that has no effect at inference and no operator is left out.

    Raises OpError: it changes the size of the image at inference too.
    """
    shape = reading.nodes[reading.inputs[0]].shape
    if tuple(reading.call.shape) != tuple(shape):
        raise OpError("it changes the size of the image at inference, too", help="use `keras.layers.CenterCrop`")
    (index,) = reading.inputs
    node = reading.nodes[index]
    if node.shared and node.path.startswith(f"{node.shared}{AGAIN}"):
        # archspec builds a layer that shares weights as the shared layer and an `Identity` of its own name
        reading.nodes[index] = node._replace(path=reading.call.path)
    return index


def center_crop(reading: Reading) -> int:
    """The middle of a map of known size, as rows and columns that are removed on each side."""
    *sizes, _ = reading.nodes[reading.inputs[0]].shape
    kept = (reading.layer.height, reading.layer.width)
    if len(sizes) != 2 or None in sizes or any((size or 0) < side for size, side in zip(sizes, kept, strict=True)):
        raise OpError("its input is smaller, or of unknown size", help="use `keras.layers.Resizing`")
    before = [((size or 0) - side) // 2 for size, side in zip(sizes, kept, strict=True)]
    sides = [(first, (size or 0) - side - first) for first, size, side in zip(before, sizes, kept, strict=True)]
    return reading.add("crop", cropping=sides) if any(map(any, sides)) else reading.inputs[0]


def adaptive_pooling(reading: Reading) -> int:
    """`AdaptiveAveragePooling2D`, `AdaptiveMaxPooling1D` and the like."""
    op = "adaptive_maxpool" if "Max" in reading.call.kind else "adaptive_avgpool"
    return reading.add(op, output_size=list(reading.layer.output_size))


def repeat_vector(reading: Reading) -> int:
    """(C,) -> (n, C): a sequence of one vector, which is repeated."""
    (size,) = reading.nodes[reading.inputs[0]].shape
    return reading.add("upsample", reading.add("reshape", target_shape=(1, size)), size=reading.layer.n)


AUGMENTATION = (
    *(
        "AugMix",
        "CutMix",
        "Equalization",
        "MixUp",
        "RandAugment",
        "Solarization",
        "MaxNumBoundingBoxes",
        "RandomBrightness",
    ),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue"),
    *("RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation"),
    *("RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom"),
)
"""Layers of Keras that change images in training only."""
NOISE = ("ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise")
LEFT_OUT = (*AUGMENTATION, *NOISE, "StopGradient")
"""Classes that have no effect at inference and no operator."""


READERS: dict[str, Callable[[Reading], int | list[int] | None]] = {
    **dict.fromkeys(("Add", "Multiply", "Maximum", "Minimum", "Average"), merge),
    "Subtract": subtract,
    **dict.fromkeys(("Divide", "TrueDivide"), divide),
    "Power": power,
    "Matmul": matmul,
    "Dot": dot,
    "Std": standard_deviation,
    "Norm": norm,
    "Normalize": normalize,
    "Log1p": log_of_one_more,
    "Expm1": exp_minus_one,
    "Softmax": softmax,
    **dict.fromkeys(("MaxPool", "AveragePool"), pool),
    "Resize": resize,
    "Tile": tile,
    "Repeat": repeat,
    "Pad": pad,
    "CustomScaleLayer": scaled_sum,
    "CenterCrop": center_crop,
    **dict.fromkeys((f"Adaptive{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3)), adaptive_pooling),
    "RepeatVector": repeat_vector,
    "Cast": cast,
    "GetItem": get_item,
    "Flip": flip,
    "Take": take,
    "Stack": stack,
    "Split": split,
    "Unstack": unstack,
    "ExpandDims": expand_dims,
    "Squeeze": squeeze,
    "Swapaxes": swap_axes,
    "Moveaxis": move_axes,
    **dict.fromkeys(("Identity", *LEFT_OUT), nothing),
}
"""Class of a call -> reader, which returns the node for the call, a list of one for each output, or None if an operator
reads the layer."""
