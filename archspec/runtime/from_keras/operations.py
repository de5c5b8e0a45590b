"""Calls without an operator of their own: arithmetic with numbers, sums of scaled layers, layers without effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archspec.declare import freeze
from archspec.diagnostics import Source, Span, listed
from archspec.graph.compile.inference import WrongArgument, infer, made
from archspec.graph.ir import AGAIN, Node
from archspec.ops.base import OpError, plain, show
from archspec.ops.scale import PER_CHANNEL
from archspec.runtime.models.keras_graph import Call

NOWHERE = Span(Source("", ""), 1, 1, 1, 1)
"""The place of a node: a model has no lines."""


@dataclass(frozen=True)
class Reading:
    """A call of a Keras layer, the nodes that it reads, and the nodes of the graph so far."""

    call: Call
    inputs: tuple[int, ...]
    nodes: list[Node]

    @property
    def layer(self) -> Any:
        """The Keras layer, or the operation of `keras.ops`."""
        return self.call.operation

    @property
    def given(self) -> list[Any]:
        """The arguments of the call, in their order."""
        arguments = self.call.node.arguments
        return [*arguments.args, *arguments.kwargs.values()]

    def add(self, head: str, *inputs: int, **args: Any) -> int:
        """A node for an operator on the given nodes, by default on the inputs of the call. Returns its position.

        Raises OpError: the operator does not accept the inputs of the layer.
        """
        inputs = inputs or self.inputs
        shapes = tuple(self.nodes[index].shape for index in inputs)
        try:
            op = made(head, {word: freeze(value) for word, value in args.items()})
            facts = infer(op, shapes)
        except (WrongArgument, OpError) as error:
            raise OpError(f"`{head}` does not accept it: {error} (its input is {listed(map(show, shapes))})") from error
        self.nodes.append(Node(self.call.path, op, inputs, facts, NOWHERE))
        return len(self.nodes) - 1


def merge(reading: Reading) -> int | None:
    """x + 3, x * 1 / 6; None for a merge of several layers."""
    if len(reading.inputs) > 1:
        return None
    value = _number(reading)
    if reading.call.kind == "Add":
        return reading.add("rescale", scale=1.0, offset=value)
    if reading.call.kind == "Multiply":
        return reading.add("rescale", scale=value)
    raise OpError(f"it combines a layer with the number {value}")


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


POWERS = {2: "square", 0.5: "sqrt", -0.5: "rsqrt", -1: "reciprocal"}


def power(reading: Reading) -> int:
    """x ** 2, x ** 0.5, or a power of two layers."""
    if len(reading.inputs) > 1:
        return reading.add("power")
    value = _number(reading)
    if _number_first(reading) or value not in POWERS:
        raise OpError(f"a spec has the powers {', '.join(f'{number:g}' for number in POWERS)}, and not {value}")
    return reading.add(POWERS[value])


def _number_first(reading: Reading) -> bool:
    import keras

    return not isinstance(reading.given[0], keras.KerasTensor)


def _each(value: Any, function: Callable[[float], float]) -> Any:
    """The function of a number, or of one number for each channel. Raises OpError for a division by zero."""
    try:
        return tuple(map(function, value)) if isinstance(value, (tuple, list)) else function(value)
    except ZeroDivisionError:
        raise OpError("it divides by zero") from None


def _number(reading: Reading) -> Any:
    """The constant argument of the call: a number, or one for each channel."""
    import keras
    import numpy as np

    found = [value for value in reading.given if not isinstance(value, keras.KerasTensor) and value is not None]
    try:
        (value,) = found
        return value if isinstance(value, float) else plain(np.asarray(value, "float64").reshape(-1), PER_CHANNEL)
    except (TypeError, ValueError):
        raise OpError(f"one of its arguments is neither a layer nor a number: {found}") from None


def pad(reading: Reading) -> int:
    """`keras.ops.pad` with zeros around the spatial axes."""
    batch, *pixels, channels = map(tuple, reading.layer.pad_width)
    fill = [value for value in reading.given[1:] if isinstance(value, (int, float)) and value]
    if reading.layer.mode != "constant" or fill or batch != (0, 0) or channels != (0, 0):
        raise OpError("it pads the channels, or with values other than zero")
    return reading.add("zero_pad", padding=pixels)


def cast(reading: Reading) -> int:
    """A conversion to numbers with a fraction has no effect in a spec."""
    if "float" not in str(reading.layer.dtype):
        raise OpError(f"it converts its input to {reading.layer.dtype}")
    return reading.inputs[0]


def get_item(reading: Reading) -> int:
    """`x[..., ::-1]`, `x[:, 1:, 1:, :]`, `x[:, 0]`: each axis by an operator, the last axis first."""
    if len(reading.inputs) > 1:
        raise OpError("its index is a layer")
    key = reading.given[1]
    sizes = reading.nodes[reading.inputs[0]].shape
    parts = [*key] if isinstance(key, (tuple, list)) else [key]
    if Ellipsis in parts:
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (len(sizes) + 2 - len(parts))
    parts += [slice(None)] * (len(sizes) + 1 - len(parts))
    if len(parts) != len(sizes) + 1 or not all(isinstance(part, (int, slice)) for part in parts):
        raise OpError("its index adds an axis, or is neither a number nor a range")
    if parts[0] != slice(None):
        raise OpError("it selects images of the batch")
    node = reading.inputs[0]
    for axis in range(len(sizes), 0, -1):
        node = _part(reading, node, axis, parts[axis])
    return node


def _part(reading: Reading, node: int, axis: int, part: int | slice) -> int:
    """The node for a number or a range along one axis, counted as in Keras."""
    shape = reading.nodes[node].shape
    size = shape[axis - 1]
    if isinstance(part, int):
        return reading.add("take", node, indices=part, axis=axis)
    if (part.step or 1) < 0:
        if axis != len(shape) or size is None:
            raise OpError(f"it reads axis {axis} in steps of {part.step}")
        return reading.add("select_channels", node, indices=list(range(size))[part])
    if part.start in (None, 0) and part.stop in (None, size) and part.step in (None, 1):
        return node
    return reading.add("slice", node, start=part.start or 0, end=part.stop, axis=axis, step=part.step or 1)


def flip(reading: Reading) -> int:
    """`keras.ops.flip` of the channels."""
    shape = reading.nodes[reading.inputs[0]].shape
    axes = reading.layer.axis if isinstance(reading.layer.axis, (tuple, list)) else [reading.layer.axis]
    if [axis if axis is None else axis % (len(shape) + 1) for axis in axes] != [len(shape)] or shape[-1] is None:
        raise OpError("it mirrors the image, not the order of the channels")
    return reading.add("select_channels", indices=list(range(shape[-1]))[::-1])


def stack(reading: Reading) -> int:
    """`keras.ops.stack` of single channels of one layer: another order of the channels, as for Caffe."""
    nodes = [reading.nodes[index] for index in reading.inputs]
    rank = len(nodes[0].shape) + 1
    sources = {node.inputs for node in nodes}
    if reading.layer.axis not in (-1, rank) or len(sources) != 1 or any(node.op.name != "take" for node in nodes):
        raise OpError("it stacks other things than channels of one layer")
    shape = reading.nodes[nodes[0].inputs[0]].shape
    taken = [vars(node.op) for node in nodes]
    if len(shape) != rank or any(each["axis"] not in (-1, rank) for each in taken):
        raise OpError("it stacks other things than channels of one layer")
    return reading.add("select_channels", *nodes[0].inputs, indices=[each["indices"] % shape[-1] for each in taken])


def take(reading: Reading) -> int:
    """`keras.ops.take` of channels, or of one position."""
    import numpy as np

    shape = reading.nodes[reading.inputs[0]].shape
    values = [value for value in reading.given[1:] if value is not None]
    if len(reading.inputs) > 1 or not values or reading.layer.axis is None:
        raise OpError("its indices are not numbers")
    indices, axis = np.asarray(values[0]), reading.layer.axis % (len(shape) + 1)
    if indices.ndim == 0:
        return reading.add("take", indices=int(indices), axis=axis)
    if axis != len(shape) or indices.ndim != 1 or shape[-1] is None:
        raise OpError(f"it reads several positions of axis {axis}")
    return reading.add("select_channels", indices=[int(index) % shape[-1] for index in indices])


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
    *("AugMix", "CutMix", "MixUp", "RandAugment", "Solarization", "MaxNumBoundingBoxes", "RandomBrightness"),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHeight", "RandomHue"),
    *("RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation"),
    *("RandomSharpness", "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom"),
)
"""Layers of Keras that change images in training only."""
NOISE = ("ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise")
LEFT_OUT = (*AUGMENTATION, *NOISE)
"""Classes that have no effect at inference and no operator."""


READERS: dict[str, Callable[[Reading], int | None]] = {
    **dict.fromkeys(("Add", "Multiply", "Maximum", "Minimum", "Average"), merge),
    "Subtract": subtract,
    **dict.fromkeys(("Divide", "TrueDivide"), divide),
    "Power": power,
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
    **dict.fromkeys(("Identity", *LEFT_OUT), nothing),
}
"""Class of a call -> reader, which returns the node for the call, or None if an operator reads the layer."""
