"""The feature maps that a drawing of volumes shows, and what computes each of them from the one before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from archspec.drawings.components import (
    CONVOLUTIONS,
    GLOBAL_POOLS,
    POOLS,
    Component,
    components,
    in_shortcut,
    stride,
    window,
)
from archspec.graph.ir import Graph, Node
from archspec.ops.base import Shape

Kind = Literal["input", "convolution", "pooling", "dense", "block"]
STACKED = 32
"""Up to this many channels of feature maps they are drawn as stacks of maps, as LeNet's, else as boxes."""


@dataclass(frozen=True)
class Volume:
    """A feature map, or a vector, whose `size` is (1, 1, units)."""

    name: str
    """The name that the spec gives to it; empty if it gives none."""
    kind: Kind
    size: tuple[int, int, int]
    """Height, width, channels."""
    is_vector: bool
    kernel: tuple[int, int] | None = None
    """The window, in pixels of the volume before, from which one value is computed; None if it is unknown or 1×1."""
    captions: tuple[str, ...] = ()
    """What computes it from the volume before, in the words of the figures."""
    groups: int = 1
    """Into how many independent parts its channels are computed."""


def volumes(graph: Graph, named: Collection[str], pools: bool) -> list[Volume]:
    """The volumes in order. Without `pools`, pooling is a caption of the volume after it, as in AlexNet's figure."""
    found = [Volume("", "input", _size(graph.input_shape), len(graph.input_shape) == 1)]
    waiting: list[str] = []
    for component in components(graph):
        name = component.name if component.name in named else ""
        if component.repeated or any(len(node.inputs) > 1 for node in component.nodes):
            found.append(_block(component, name, tuple(waiting)))
            waiting = []
            continue
        for node in component.nodes:
            volume = _volume(node, name, tuple(waiting))
            if volume is None or (volume.kind == "pooling" and not pools):
                waiting += volume.captions if volume else []
                continue
            found.append(volume)
            waiting = []
    return found


def stacked(graph: Graph) -> bool:
    """Whether the feature maps are few enough to be drawn one by one."""
    maps = [node.shape[-1] or 0 for node in graph.layers if node.shape[:-1] and _size(node.shape)[:2] != (1, 1)]
    return bool(maps) and max(maps) <= STACKED


def _size(shape: Shape) -> tuple[int, int, int]:
    """(H, W, C); a sequence is a column; a free size counts as 1."""
    sizes = [size or 1 for size in shape]
    if len(sizes) == 1:
        return 1, 1, sizes[0]
    return (sizes[0], sizes[1], sizes[2]) if len(sizes) == 3 else (sizes[0], 1, sizes[-1])


def _is_vector(shape: Shape) -> bool:
    return all(size == 1 for size in shape[:-1])


def _volume(node: Node, name: str, captions: tuple[str, ...]) -> Volume | None:
    """The volume that a layer of a chain makes; None for a layer that keeps the map, as activations do."""
    op, label = node.op, node.op.name
    size, is_vector = _size(node.shape), _is_vector(node.shape)
    if label in CONVOLUTIONS:
        sides = _sides(node)
        if label == "depthwise_conv" and sides == (1, 1):  # a coefficient for each map, as in LeNet's subsampling
            return None
        kernel = None if sides == (1, 1) else sides
        step = () if stride(node) == "1" else (f"stride of {stride(node)}",)
        captions = (*captions, window(sides, 2), *step)
        return Volume(name, "convolution", size, is_vector, kernel, captions, getattr(op, "groups", 1))
    if label in POOLS:
        words = "Max pooling" if label == "maxpool" else "Average pooling"
        return Volume(name, "pooling", size, is_vector, _sides(node), (*captions, words))
    if label in GLOBAL_POOLS:
        return Volume(name, "pooling", size, True, None, (*captions, "Global pooling"))
    if label == "dense":
        return Volume(name, "dense", size, is_vector, None, (*captions, "dense"))
    return None


def _block(component: Component, name: str, captions: tuple[str, ...]) -> Volume:
    """The output of a component with branches or copies; its window is known if all its convolutions are parallel."""
    kernels = [node for node in component.nodes if node.op.name in CONVOLUTIONS and not in_shortcut(node)]
    sides = {_sides(node) for node in kernels}
    parallel = len(sides) == 1 and len({node.path.rpartition("/")[0] for node in kernels}) == len(kernels)
    one = parallel and not component.repeated and all(node.op.name != "add" for node in component.nodes)
    times = f"×{len(component.copies)}" if component.repeated else ""
    title = f"{name or component.name} {times}".strip()
    shape = component.shape
    kernel = next(iter(sides)) if one and sides != {(1, 1)} else None
    return Volume(name if one else title, "block", _size(shape), _is_vector(shape), kernel, captions)


def _sides(node: Node) -> tuple[int, int]:
    op = node.op
    size = getattr(op, "kernel_size", None) or getattr(op, "pool_size", 1)
    assert isinstance(size, int | tuple)
    each = size if isinstance(size, tuple) else (size,) * max(1, len(node.shape) - 1)
    return (each[0], each[1]) if len(each) == 2 else (each[0], 1)
