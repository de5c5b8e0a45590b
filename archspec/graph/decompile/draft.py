"""Drafts of layers, each with the nodes of the graph that it represents."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from archspec.declare import arguments
from archspec.graph.ir import Graph


class Free:
    """An argument that may have any value, such as the padding of a 1x1 window."""

    def __repr__(self) -> str:
        return "FREE"


FREE = Free()


@dataclass(eq=False)
class LayerDraft:
    """An operator, a merge with branches, a residual or the call of a block."""

    head: str
    args: dict[str, Any] = field(default_factory=dict)
    """All arguments of an operator in the order of its declaration; those of a block in the order of the block."""
    branches: list[list[LayerDraft]] = field(default_factory=list)
    """Of a merge; of a residual the body, then the project where there is one."""
    origin: tuple[int | str, ...] = ()
    """The nodes that `from` names, if it does not read the layer above; names in a block with several inputs."""
    node: int = -1
    """Its last node in the graph."""
    labelled: bool = False
    """Whether a `from` or `share` names it."""
    share: int = -1
    """The node of the layer whose weights it uses, itself among them; -1 if they are not shared."""
    name: str = ""
    """The name of a stage; in a block with several inputs, its name for `from`."""
    channels: int | None = None
    """Input channels."""
    shape: tuple[int | None, ...] = ()
    """The output shape."""
    grows: bool = False
    """For a residual: whether the output of the body has another shape than the input."""
    count: int = 1
    """Copies, of `repeat`."""
    first: dict[str, Any] = field(default_factory=dict)
    """Arguments of the first copy."""
    hints: tuple[str, ...] = ()
    """The names of its layers in the graph."""
    expansion: list[LayerDraft] = field(default_factory=list)
    """The layers that a call of a block replaced."""


def walk(items: list[LayerDraft]) -> Iterator[LayerDraft]:
    """All layers, including those in branches."""
    for item in items:
        yield item
        for branch in item.branches:
            yield from walk(branch)


def lists(items: list[LayerDraft]) -> Iterator[list[LayerDraft]]:
    """The list itself and all lists of branches in it."""
    yield items
    for item in items:
        for branch in item.branches:
            yield from lists(branch)


@dataclass
class _Flow:
    """A growing list of items, and the node that an item without `from` reads."""

    items: list[LayerDraft]
    current: int


class Structure:
    """The items of a graph. `labels` are the nodes that are read by name."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.readers: list[list[int]] = [[] for _ in graph.nodes]
        for index, node in enumerate(graph.nodes):
            for source in node.inputs:
                self.readers[source].append(index)
        self.read_outside = {*graph.outputs, *graph.tied}
        self.done = set(range(graph.input_count))
        self.labels: set[int] = set()

    def items(self) -> list[LayerDraft]:
        """The list of the spec. Nodes that more than the next item reads are labelled."""
        flow = _Flow([], 0)
        for output in self.graph.outputs:
            self._lead_to(output, flow)
        if self.graph.declares_outputs:
            self.labels.update(self.graph.outputs)
        self._share(flow.items)
        for item in walk(flow.items):
            item.labelled = bool(item.head) and item.node in self.labels
        return flow.items

    def _share(self, items: list[LayerDraft]) -> None:
        """Let the first of the layers that use the same weights own them."""
        first: dict[int, int] = {}
        for item in walk(items):
            if item.node in self.graph.tied and item.head:
                owner = first.setdefault(self.graph.tied[item.node], item.node)
                self.labels.add(owner)
                item.share = owner

    def _lead_to(self, target: int, flow: _Flow) -> None:
        """Append what leads to a node, down from the nodes that are already there."""
        chain: list[tuple[int, list[set[int]]]] = []
        node = target
        while node not in self.done:
            inputs, many = self.graph.nodes[node].inputs, self.graph.nodes[node].op.many
            branches = [self._private(source, node) if many else set() for source in inputs] if len(inputs) > 1 else []
            chain.append((node, branches))
            node = max(self._entries(node, branches))
        for node, branches in reversed(chain):
            for entry in sorted(self._entries(node, branches)):
                self._lead_to(entry, flow)
            flow.items.append(self._merge(node, branches, flow) if branches else self._leaf(node, flow.current))
            flow.current = node
            self.done.add(node)

    def _entries(self, node: int, branches: list[set[int]]) -> set[int]:
        """The nodes that a node reads, through its branches."""
        inside = {node}.union(*branches)
        return {source for each in inside for source in self.graph.nodes[each].inputs} - inside

    def _private(self, end: int, merge: int) -> set[int]:
        """The nodes that lead to `end` and that nothing reads but each other, and the merge once."""
        inside: set[int] = set()
        if self.readers[end] != [merge] or end in self.read_outside or end in self.done:
            return inside
        heap = [-end]
        seen = {end}
        while heap:
            node = -heapq.heappop(heap)
            if node != end and not (set(self.readers[node]) <= inside and node not in self.read_outside):
                continue
            if node in self.done:
                continue
            inside.add(node)
            for source in self.graph.nodes[node].inputs:
                if source not in seen:
                    seen.add(source)
                    heapq.heappush(heap, -source)
        return inside

    def _leaf(self, node: int, current: int) -> LayerDraft:
        (source,) = self.graph.nodes[node].inputs
        return self._item(node, () if source == current else (source,))

    def _merge(self, node: int, branches: list[set[int]], flow: _Flow) -> LayerDraft:
        inputs = self.graph.nodes[node].inputs
        if not any(branches):
            return self._item(node, inputs)
        item = self._item(node, ())
        item.channels = self.graph.nodes[flow.current].shape[-1]
        for source, inside in zip(inputs, branches, strict=True):
            inner = _Flow([], flow.current)
            if inside:
                self._lead_to(source, inner)
            elif source != flow.current:  # an earlier layer as it is
                self.labels.add(source)
                inner.items.append(LayerDraft("", origin=(source,), node=source, shape=self.graph.nodes[source].shape))
            item.branches.append(inner.items)
        return _residual(item, self.graph.nodes[flow.current].shape)

    def _item(self, index: int, origin: tuple[int, ...]) -> LayerDraft:
        node = self.graph.nodes[index]
        self.labels.update(origin)
        args = {argument.name: getattr(node.op, argument.name) for argument in arguments(type(node.op))}
        if "kernel_size" in args and "padding" in args:
            args["padding"] = _padding(args)
        return LayerDraft(
            node.op.name,
            args,
            origin=origin,
            node=index,
            channels=self.graph.nodes[node.inputs[0]].shape[-1],
            shape=node.shape,
            hints=(node.path,),
        )


def _padding(args: dict[str, Any]) -> Any:
    """`same` if the padding in pixels has that effect at any size; FREE for a window of one pixel, without padding."""
    kernel, strides, dilation = (_flat(args.get(word, 1)) for word in ("kernel_size", "strides", "dilation_rate"))
    sides = args["padding"]
    if set(kernel) == {1} and sides in ("valid", "same", 0):
        return FREE
    if not isinstance(sides, int) or len(kernel) > 1 or not sides:
        return sides
    half = kernel[0] % 2 and (kernel[0] - 1) // 2 * dilation[0]
    return "same" if set(strides) == {1} and len(dilation) == 1 and sides == half else sides


def _flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _residual(item: LayerDraft, entering: tuple[int | None, ...]) -> LayerDraft:
    """Rewrite a sum of a body and the input, or of a body and a projection, as a residual."""
    if item.head != "add" or len(item.branches) != 2 or any(each.origin for each in walk([item])):
        return item
    project, body = sorted(item.branches, key=lambda branch: sum(1 for _ in walk(branch)))
    item.grows = item.shape != entering
    if not body or (project and not item.grows):
        return item
    item.head = "residual"
    item.branches = [body, project] if project else [body]
    return item
