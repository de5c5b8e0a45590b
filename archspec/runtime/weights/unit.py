"""The weights of one layer, and the signature by which layers are matched.

Some layers of different kinds have the same numbers in the same order: a 1x1 convolution and a dense layer, a depthwise
convolution and one with a group for each channel. Their signatures are equal, and `reshape` converts the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Sizes = tuple[int, ...]
Signature = tuple[Any, ...]

CONVOLUTIONS = ("conv", "depthwise")


@dataclass(frozen=True)
class Tensor:
    """An array of a file or model, in the layout of Keras. `read` returns it as float32."""

    name: str
    shape: Sizes
    read: Callable[[], Any] = field(repr=False)


@dataclass(frozen=True)
class Unit:
    """The weights of one layer, in the order of Keras's `layer.weights`.

    Kinds: conv, depthwise, dense, separable, bn, norm (layer or group), attention, and param for other arrays (PReLU,
    layer scale, embeddings).
    """

    kind: str
    name: str
    tensors: tuple[Tensor, ...]
    channels_first: bool = False
    """Whether a feature map that is flattened before this layer has its channels first, as in PyTorch."""
    shortcut: bool = False
    """Whether the layer is on a shortcut, if the names of the file tell: see `shortcut`."""

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        return tuple(tensor.shape for tensor in self.tensors)

    @property
    def signature(self) -> Signature:
        return signature(self.kind, self.shapes, shortcut=self.shortcut)


@dataclass(frozen=True)
class Slot:
    """A layer of the model whose weights are to be set."""

    kind: str
    name: str
    variables: tuple[Any, ...] = field(repr=False)
    flattened: Sizes | None = None
    """(H, W, C) of the feature map that was flattened before this layer, if no layer with weights is between."""
    shortcut: bool = False

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        return tuple(tuple(variable.shape) for variable in self.variables)

    @property
    def signature(self) -> Signature:
        return signature(self.kind, self.shapes, shortcut=self.shortcut)


def signature(kind: str, shapes: tuple[Sizes, ...], *, shortcut: bool = False) -> Signature:
    """Equal for layers with exchangeable weights; the first item is the operator class."""
    return (*_signature(kind, shapes), "on a shortcut") if shortcut else _signature(kind, shapes)


def _signature(kind: str, shapes: tuple[Sizes, ...]) -> Signature:
    if kind == "param" or (len(shapes) == 1 and sum(size > 1 for size in shapes[0]) <= 1):
        return ("param", *map(math.prod, shapes))
    if kind == "attention":
        return (kind, *map(math.prod, shapes))
    if kind not in (*CONVOLUTIONS, "dense"):
        return (kind, *shapes)
    kernel, *others = shapes
    *window, entering, leaving = kernel
    if kind == "depthwise" or leaving == 1:  # not every file tells which of the two a kernel belongs to
        entering, leaving = 1, entering * leaving
    return ("kernel", *(window if any(size > 1 for size in window) else ()), entering, leaving, *others)


def shown(shapes: tuple[Sizes, ...]) -> str:
    """3x3x64x128 + 128."""
    return " + ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
