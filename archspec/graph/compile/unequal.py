"""Why the inputs of a merge have unequal shapes: forgotten padding, unequal strides, unequal channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

from archspec.declare import arguments
from archspec.diagnostics import counted, listed
from archspec.graph.ir import Node

WHOLE = "add the layers of the shortcut under `project`, or write `shortcut: pad`"


class Branch(NamedTuple):
    """The layers from the last layer that both inputs depend on to one input."""

    nodes: list[Node]
    stride: tuple[float, ...]
    """The total stride along each spatial axis."""
    strided: list[Node]
    """The layers with a stride."""
    cut: list[Node]
    """The layers whose windows leave out a border, for want of padding."""


def remedy(nodes: Sequence[Node], inputs: Sequence[int], residual: bool, project: bool) -> str | None:
    """What to write so that the two inputs can be merged; None if that is unclear.

    The inputs of a `residual` are the shortcut, by the layers of `project` or none, and the body.
    """
    if len(inputs) != 2:
        return None
    one, other = (nodes[i].shape for i in inputs)
    if len(one) != len(other) or None in one or None in other:
        return WHOLE if residual and not project else None
    left, right = _branches(nodes, *inputs)
    if one[:-1] != other[:-1]:
        cut = left.cut + right.cut
        if left.stride == right.stride and cut:
            return _padding(cut, max(abs(a - b) for a, b in zip(one[:-1], other[:-1], strict=True)))  # type: ignore[operator]
        if left.stride != right.stride and residual:
            return _stride(right, other[-1], project, left)
        if left.stride != right.stride:
            return f"the strides of the two inputs differ: {_strides(left)} and {_strides(right)}"
        return WHOLE if residual and not project else None
    if residual and project:
        return (
            f"the body has {counted(other[-1] or 0, 'channel')}, but `project` has {one[-1]}: give both the same number"
        )
    if residual:
        shortcut = f"`project: [conv: {{filters: {other[-1]}, kernel_size: 1}}]`"
        pad = ", or write `shortcut: pad`" if (other[-1] or 0) > (one[-1] or 0) else ""
        return f"the body changes the channels from {one[-1]} to {other[-1]}: add {shortcut}{pad}"
    return None


def _padding(cut: Sequence[Node], pixels: int) -> str:
    """The remedy for windows without padding."""
    lines = list(dict.fromkeys(node.span.line for node in cut))
    heads = dict.fromkeys(f"`{node.op.name}`" for node in cut)
    padding = listed(dict.fromkeys(_shown(node) for node in cut))
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {listed(lines)}"
    shrinks = "shrinks" if len(heads) == 1 else "shrink"
    return (
        f"{listed(heads)} ({where}) {shrinks} the feature map by {counted(pixels, 'pixel')} because of "
        f"`padding: {padding}`: write `padding: same` there"
    )


def _stride(body: Branch, filters: int | None, project: bool, shortcut: Branch) -> str:
    """The remedy for a body and a shortcut of unequal strides."""
    steps = {int(step) for step in body.stride}
    step = steps.pop() if len(steps) == 1 else f"[{listed(int(each) for each in body.stride)}]"
    fact = f"the body has a stride of {_strides(body)}"
    if project:
        return f"{fact}, but `project` has a stride of {_strides(shortcut)}: write `strides: {step}` in `project`"
    add = f"`project: [conv: {{filters: {filters}, kernel_size: 1, strides: {step}}}]`"
    return f"{fact}: add {add}, or write `shortcut: pad`"


def _strides(branch: Branch) -> str:
    """`2 (line 7)`, `1`."""
    steps = listed(f"{step:g}" for step in dict.fromkeys(branch.stride))
    lines = listed(dict.fromkeys(node.span.line for node in branch.strided))
    return f"{steps} (line {lines})" if branch.strided else steps


def _shown(node: Node) -> str:
    padding = getattr(node.op, "padding", "valid")
    return padding if isinstance(padding, (str, int)) else "[...]"  # type: ignore[return-value]


def _branches(nodes: Sequence[Node], one: int, other: int) -> tuple[Branch, Branch]:
    """The two branches, along the first input of each layer."""
    chains = [_chain(nodes, one), _chain(nodes, other)]
    common = set(chains[0]) & set(chains[1])
    left, right = ([nodes[i] for i in chain if i not in common] for chain in chains)
    rank = len(nodes[one].shape) - 1
    return _branch(nodes, left, rank), _branch(nodes, right, rank)


def _chain(nodes: Sequence[Node], index: int) -> list[int]:
    found = [index]
    while nodes[index].inputs:
        index = nodes[index].inputs[0]
        found.append(index)
    return found


def _branch(nodes: Sequence[Node], layers: Sequence[Node], rank: int) -> Branch:
    strides: list[tuple[float, ...]] = []
    strided, cut = [], []
    for node in reversed(layers):
        if not node.inputs:  # an input of the network
            continue
        before = [nodes[i].shape for i in node.inputs]
        view = node.op.view(*before)
        if not isinstance(view, tuple):
            continue
        step = tuple(float(window.stride) for window in view)
        strides.append(step)
        if any(each != 1 for each in step):
            strided.append(node)
        kept = [math.ceil((size or 0) / each) for size, each in zip(before[0], step, strict=False)]
        padded = "padding" in [each.name for each in arguments(type(node.op))]
        if padded and any((size or 0) < whole for size, whole in zip(node.shape, kept, strict=False)):
            cut.append(node)
    total = [math.prod(steps) for steps in zip_longest((1.0,) * rank, *strides, fillvalue=1.0)]
    return Branch(list(layers), tuple(total), strided, cut)
