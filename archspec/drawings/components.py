"""The parts of a network that tables and figures show: components on the way to the main output, and their words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from posixpath import commonpath

from archspec.graph.ir import Graph, Node, ancestors
from archspec.ops.base import Shape

CONVOLUTIONS = ("conv", "depthwise_conv", "separable_conv", "conv_transpose")
POOLS = ("maxpool", "avgpool")
GLOBAL_POOLS = ("global_avgpool", "global_maxpool")
SHOWN = (
    *CONVOLUTIONS,
    *POOLS,
    *GLOBAL_POOLS,
    "adaptive_avgpool",
    "attention",
    "channel_shuffle",
    "class_token",
    "dense",
    "lrn",
    "position_embedding",
    "softmax",
    "spatial_pyramid_pool",
    "upsample",
)
"""Operators that have a line in tables; the others are named in a note."""
SHORTCUTS = {"project", "shortcut"}
"""Parts of paths under which the compiler puts the layers of a shortcut (He et al. 2016, section 3.3)."""
TIMES = "×"
SUMS = ("add", "average", "maximum")
MOST_SIZES = 2
"""Sizes of feature maps in one component: those before and after a reduction."""


@dataclass(frozen=True)
class TableColumn:
    """A network of a table: its heading and graph, and the names that its spec gives to layers at the top level."""

    heading: str
    graph: Graph
    named: Collection[str] = field(default=())


@dataclass(frozen=True)
class Component:
    """The layers that share the first part of their paths. `copies` has one item for each copy of a repeat, or one."""

    name: str
    nodes: tuple[Node, ...]
    copies: tuple[tuple[Node, ...], ...]
    repeated: bool

    @property
    def shape(self) -> Shape:
        """The output of its last layer."""
        return self.nodes[-1].shape


def components(graph: Graph) -> list[Component]:
    """The components on the way to the main output, in order."""
    kept = ancestors(graph, graph.outputs[0])
    nodes = [node for index, node in enumerate(graph.nodes) if index in kept and index]
    found: list[Component] = []
    for component in _split(nodes, 0):
        unique = all(component.name != other.name for other in found)
        found.append(component if unique else replace(component, name=_common_path(component.nodes)))
    return found


def _split(nodes: Sequence[Node], level: int) -> Iterator[Component]:
    """The components by the word at this level of their paths; one that is most of a network is split further."""
    for name, group in groupby(nodes, key=lambda node: node.path.split("/")[level]):
        component = _component(name, tuple(group))
        paths = [node.path.split("/") for node in component.nodes]
        sizes = {node.shape[:-1] for node in component.nodes if any(size != 1 for size in node.shape[:-1])}
        below = [place for place in range(level + 1, min(map(len, paths))) if len({path[place] for path in paths}) > 1]
        if component.repeated or len(sizes) <= MOST_SIZES or not below:
            yield component
        else:
            yield from _split(component.nodes, below[0])


def _common_path(nodes: Sequence[Node]) -> str:
    return commonpath([node.path for node in nodes])


def _component(name: str, nodes: tuple[Node, ...]) -> Component:
    """Copies are numbered at the first place in the path where all nodes of the component have numbers."""
    paths = [node.path.split("/") for node in nodes]
    for place in range(1, min(map(len, paths))):
        words = [path[place] for path in paths]
        if all(word.isdecimal() for word in words):
            copies = tuple(
                tuple(node for _, node in group) for _, group in groupby(zip(words, nodes, strict=True), _first)
            )
            return Component(name, nodes, copies, True)
        if len(set(words)) > 1:
            break
    return Component(name, nodes, (nodes,), False)


def _first(pair: tuple[str, Node]) -> str:
    return pair[0]


def in_shortcut(node: Node) -> bool:
    """Whether a layer belongs to the shortcut of a residual block."""
    return not SHORTCUTS.isdisjoint(node.path.split("/"))


def is_shown(node: Node) -> bool:
    """Whether tables have a line for the layer."""
    return node.op.name in SHOWN and not in_shortcut(node)


def branches(graph: Graph, nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """The chains of shown layers, if several of them with convolutions are merged in a block.

    A shortcut and the body of its residual block are no branches.
    """
    paths = {node.path for node in nodes}
    concatenations = [node for node in nodes if node.op.name == "concat"]
    with_kernels = sum(
        graph.nodes[i].path in paths and _has_convolution(graph, i, paths)
        for node in concatenations
        for i in node.inputs
    )
    if with_kernels < 2 and not any(_joins_branches(graph, node) for node in nodes if node.op.name in SUMS):
        return
    readers: dict[int, int] = {}
    for node in nodes:
        for i in node.inputs:
            readers[i] = readers.get(i, 0) + 1
    index = {node.path: i for i, node in enumerate(graph.nodes)}
    chain: list[Node] = []
    previous = -1
    for node in nodes:
        if in_shortcut(node):
            continue
        here = index[node.path]
        follows = node.inputs == (previous,) and readers.get(previous) == 1
        if not follows and chain:
            yield chain
            chain = []
        if is_shown(node):
            chain.append(node)
        previous = here
    if chain:
        yield chain


def _joins_branches(graph: Graph, node: Node) -> bool:
    """Whether several of the sides of a merge have convolutions behind the layer where they part."""
    sides = [ancestors(graph, i) for i in node.inputs]
    common = set.intersection(*sides)
    fork = max(common, default=0)

    def has_convolution(side: Collection[int]) -> bool:
        own = (graph.nodes[i] for i in side if i > fork and i not in common)
        return any(each.op.name in CONVOLUTIONS and not in_shortcut(each) for each in own)

    return sum(map(has_convolution, sides)) > 1


def _has_convolution(graph: Graph, index: int, paths: set[str]) -> bool:
    while True:
        node = graph.nodes[index]
        if node.path not in paths:
            return False
        if node.op.name in CONVOLUTIONS:
            return True
        if len(node.inputs) != 1:
            return True
        index = node.inputs[0]


def window(size: int | Sequence[int], rank: int) -> str:
    """`3×3`, `1×7`, for one axis `80`."""
    each = tuple(size) if isinstance(size, Sequence) else (size,) * rank
    return TIMES.join(map(str, each))


def kernel(node: Node) -> str:
    """The window of a convolution or of pooling."""
    op = node.op
    size = getattr(op, "kernel_size", None) or getattr(op, "pool_size", 1)
    assert isinstance(size, int | tuple)
    return window(size, max(1, len(node.shape) - 1))


def strides(node: Node) -> tuple[int, ...]:
    """The steps of the window of a convolution or of pooling, one for each axis."""
    op, rank = node.op, max(1, len(node.shape) - 1)
    given: int | Sequence[int] | None = getattr(op, "strides", None)
    if given is None:
        given = getattr(op, "pool_size", 1)
    assert given is not None
    return tuple(given) if isinstance(given, Sequence) else (given,) * rank


def stride(node: Node) -> str:
    """`2`, or `2×1` where the axes differ."""
    each = strides(node)
    return str(each[0]) if len(set(each)) == 1 else window(each, len(each))


def extent(shape: Shape) -> str:
    """The height and width of a feature map: `112×112`; `1×1` for a vector."""
    sizes = ["?" if size is None else str(size) for size in shape[:-1]]
    return TIMES.join(sizes) or f"1{TIMES}1"


def full(shape: Shape) -> str:
    """`112×112×64`; `1×1×1000` for a vector."""
    return f"{extent(shape)}{TIMES}{'?' if shape[-1] is None else shape[-1]}"


def hidden(graphs: Sequence[Graph], shown: Collection[str] = SHOWN) -> str:
    """The note on the operators that a table leaves out; empty if there are none."""
    names = {node.op.name for graph in graphs for node in graph.layers} - set(shown)
    return f"Not shown: {', '.join(sorted(names))}." if names else ""


def input_text(shape: Shape) -> str:
    """`224 × 224 RGB image`."""
    sizes = " × ".join("?" if size is None else str(size) for size in shape[:-1])
    if len(shape) != 3:
        return " × ".join(map(str, shape))
    color = {1: " grayscale image", 3: " RGB image"}.get(shape[-1] or 0)
    return f"{sizes}{color}" if color else f"{sizes} × {shape[-1]}"
