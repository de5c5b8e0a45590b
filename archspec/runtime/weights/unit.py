"""What weights are matched by: the tensors of one layer, their class and a signature that ignores axes of size 1.

A 1x1 convolution and a dense layer, a depthwise convolution and one with as many groups as channels hold the same
numbers in the same order. Their signatures are equal, and `reshape` turns one into the other.
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
    """An array of a file or model, in Keras's layout. `read` gives it as float32; nothing is read before."""

    name: str
    shape: Sizes
    read: Callable[[], Any] = field(repr=False)


@dataclass(frozen=True)
class Unit:
    """The weights of one layer, in the order of Keras's `layer.weights`.

    Kinds: conv, depthwise, dense, separable, bn, norm (by layer or group), attention, and param for anything that is
    one array of its own (PReLU, layer scale, embeddings).
    """

    kind: str
    name: str
    tensors: tuple[Tensor, ...]
    channels_first: bool = False
    """Whether a map that is flattened before this layer has its channels first, as in PyTorch."""
    shortcut: bool = False
    """Whether its name says that it is on a shortcut: see `shortcut`."""

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        return tuple(tensor.shape for tensor in self.tensors)

    @property
    def signature(self) -> Signature:
        return signature(self.kind, self.shapes, shortcut=self.shortcut)


@dataclass(frozen=True)
class Slot:
    """A layer of the model that takes weights."""

    kind: str
    name: str
    variables: tuple[Any, ...] = field(repr=False)
    flattened: Sizes | None = None
    """(H, W, C) of the map that was flattened before this layer, where it is the first with weights after it."""
    shortcut: bool = False
    """Whether it is on a shortcut, where the names of the file tell which of its layers are."""

    @property
    def shapes(self) -> tuple[Sizes, ...]:
        return tuple(tuple(variable.shape) for variable in self.variables)

    @property
    def signature(self) -> Signature:
        return signature(self.kind, self.shapes, shortcut=self.shortcut)

    @property
    def operator_class(self) -> str:
        return str(self.signature[0])


def signature(kind: str, shapes: tuple[Sizes, ...], *, shortcut: bool = False) -> Signature:
    """Equal for layers that can exchange their weights; its first item is the operator class."""
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
    if kind == "depthwise" or leaving == 1:  # not every file says which of the two a kernel is of
        entering, leaving = 1, entering * leaving
    return ("kernel", *(window if any(size > 1 for size in window) else ()), entering, leaving, *others)


def shown(shapes: tuple[Sizes, ...]) -> str:
    """3x3x64x128 + 128."""
    return " + ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)
