"""The tree of blocks of a network, read from the paths of its layers, with equal neighbours joined into repeats.

The compiler expands a block into consecutive nodes, so every block is a range of nodes, and the blocks inside a block
form an acyclic graph. A node that others read is a *net*, named by its index. It enters and leaves blocks through
ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archspec.graph.ir import Graph

MOST_STACKED = 4
"""Layers of a block that is drawn without a frame, as boxes on top of each other."""


@dataclass(eq=False, slots=True)
class Block:
    """A layer, a block of layers, or a repeat: the nodes from `start` up to, not including, `stop`."""

    label: str
    path: str
    """Of the innermost block, where a block contains nothing but another one; of a repeat `conv4_x/2-36`."""
    start: int
    stop: int
    children: tuple[Block, ...] = ()
    """In topological order; none for a layer."""
    is_repeat: bool = False
    """Whether the children are equal but for sizes, each reading the one before."""
    inputs: tuple[int, ...] = ()
    """The nets that enter it, in ascending order."""
    outputs: tuple[int, ...] = ()
    """The nets that leave it, in ascending order: the last one is its output, others belong to layers inside."""
    is_stack: bool = False
    """Whether it is a short chain of layers of one output shape, drawn without a frame."""
    kind: int = 0
    """Equal for blocks of equal operators, kernel sizes and edges: the drawing may show one of them."""

    @property
    def depth(self) -> int:
        """The number of components of its path; of a repeat, those that its copies share."""
        if self.is_repeat:
            return self.path.count("/")
        return self.path.count("/") + 1 if self.path else 0

    def body(self, copies: str) -> tuple[Block, ...]:
        """What is drawn in an open block: `all` its children, or of a repeat those of its `first` copy."""
        return self.children[0].children if copies == "first" else self.children

    @property
    def is_layer(self) -> bool:
        return not self.children


class Tree:
    """The tree of a graph: `root` contains all nodes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.last_read = [0] * len(graph.nodes)
        """Node -> the last node that reads it; 0 for none."""
        for index, node in enumerate(graph.nodes):
            for read in node.inputs:
                self.last_read[read] = index
        self._words = [node.path.split("/") for node in graph.nodes]
        self._numbers: dict[object, int] = {}
        self._ops = [self._number((node.op, len(node.inputs))) for node in graph.nodes]
        children = self._joined(self._children(0, len(graph.nodes), 0))
        self.root = Block(graph.name, "", 0, len(graph.nodes), tuple(children))

    def _number(self, key: object) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _children(self, start: int, stop: int, depth: int) -> list[Block]:
        """The blocks and layers in a range of nodes that share the first `depth` components of their paths."""
        found = []
        while start < stop:
            words, end = self._words[start], start + 1
            if len(words) > depth:
                word = words[depth]
                while end < stop and len(self._words[end]) > depth and self._words[end][depth] == word:
                    end += 1
            found.append(self._layer(start) if end == start + 1 else self._block(start, end, depth + 1))
            start = end
        return found

    def _layer(self, index: int) -> Block:
        inputs = tuple(sorted(set(self.graph.nodes[index].inputs)))
        outputs = (index,) if self.last_read[index] else ()
        words = self._words[index]
        node = self.graph.nodes[index]
        kind = self._number((node.op.name, getattr(node.op, "kernel_size", None)))
        return Block(words[-1], node.path, index, index + 1, (), False, inputs, outputs, False, kind)

    def _block(self, start: int, stop: int, depth: int) -> Block:
        words = self._words[start][:depth]
        children = self._joined(self._children(start, stop, depth))
        path, label = "/".join(words), words[-1]
        if len(children) == 1:
            (only,) = children
            if only.label != label:
                only.label = f"{label}/{only.label}".rstrip("/")
            return only
        last = children[-1]
        if last.is_layer and last.path == path and path.count("/") and label == self.graph.nodes[last.start].op.name:
            label = ""  # a merge with its branches, which is the body of the block above
        inputs = sorted({net for child in children for net in child.inputs if net < start})
        outputs = [net for child in children for net in child.outputs if self.last_read[net] >= stop]
        block = Block(label, path, start, stop, tuple(children), False, tuple(inputs), tuple(outputs))
        block.is_stack = self._is_stack(block)
        block.kind = self._kind(block)
        return block

    def _kind(self, block: Block) -> int:
        source = {net: place for place, child in enumerate(block.children) for net in child.outputs}
        kinds = [child.kind for child in block.children]
        return self._number((*kinds, *(source.get(net, -1) for child in block.children for net in child.inputs)))

    def _is_stack(self, block: Block) -> bool:
        nodes = self.graph.nodes
        return (
            len(block.children) <= MOST_STACKED
            and all(child.is_layer for child in block.children)
            and all(nodes[index].inputs == (index - 1,) for index in range(block.start + 1, block.stop))
            and all(self.last_read[index] == index + 1 for index in range(block.start, block.stop - 1))
            and len({nodes[index].shape for index in range(block.start, block.stop)}) == 1
        )

    def _edges(self, start: int, stop: int) -> list[int]:
        """The edges of a range of nodes: how far back each input is, or the number of the input of the range."""
        outer: dict[int, int] = {}
        found = []
        for index in range(start, stop):
            for read in self.graph.nodes[index].inputs:
                found.append(index - read if read >= start else -1 - outer.setdefault(read, len(outer)))
        return found

    def _joined(self, blocks: list[Block]) -> list[Block]:
        """The blocks, with equal neighbours joined into repeats."""
        found: list[Block] = []
        place = 0
        while place < len(blocks):
            first, end = blocks[place], place + 1
            if not first.is_layer and not first.is_repeat:
                key = self._key(first)
                known = set(first.inputs)
                while end < len(blocks) and self._follows(blocks[end], blocks[end - 1], first, known, key):
                    end += 1
            found.append(first if end == place + 1 else self._repeat(blocks[place:end]))
            place = end
        return found

    def _key(self, block: Block) -> tuple[object, ...]:
        return (*self._ops[block.start : block.stop], *self._edges(block.start, block.stop))

    def _follows(self, block: Block, before: Block, first: Block, known: set[int], key: tuple[object, ...]) -> bool:
        """Whether a block repeats the one before: the same layers, on its output."""
        return (
            block.stop - block.start == first.stop - first.start
            and not block.is_repeat
            and block.start == before.stop
            and any(before.start <= net for net in block.inputs)
            and all(net >= first.start or net in known for net in block.inputs)
            and self._key(block) == key
        )

    def _repeat(self, units: Sequence[Block]) -> Block:
        first, last = units[0], units[-1]
        label = _copy(first)[0] or first.label
        outputs = [net for unit in units for net in unit.outputs if self.last_read[net] >= last.stop]
        one, other = first.path.split("/"), last.path.split("/")
        shared = next(place for place, words in enumerate(zip(one, other, strict=False)) if words[0] != words[1])
        path = "/".join([*one[:shared], f"{one[shared]}-{other[shared]}"])
        return Block(
            label, path, first.start, last.stop, tuple(units), True, first.inputs, tuple(outputs), False, first.kind
        )


def title(block: Block) -> str:
    """What a box or a frame is called: `conv4_x: bottleneck × 36`, `bottleneck 1`."""
    if block.is_repeat:
        return f"{block.label} × {len(block.children)}"
    name, number = _copy(block)
    if name:
        return f"{name} {number}"
    label = block.label or block.path.rpartition("/")[2]
    names = {child.label if child.is_repeat else _copy(child)[0] for child in block.children}
    count = sum(len(child.children) if child.is_repeat else 1 for child in block.children)
    if len(names) == 1 and count > 1 and (name := names.pop()):
        return f"{label} × {count}" if name == label.rpartition("/")[2] else f"{label}: {name} × {count}"
    return label


def _copy(block: Block) -> tuple[str, str]:
    """The name and the number of a block that is one of several copies; an empty name for others."""
    number, _, name = block.label.partition("/")
    if block.is_layer or not number.isdigit():
        return "", ""
    words = block.path.split("/")
    return name or "/".join(words[-2:-1]), number
