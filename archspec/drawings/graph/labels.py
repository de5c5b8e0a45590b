"""The text in boxes and on edges: operators with the arguments that a figure shows, shapes, and sums of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.drawings.graph.tree import Block, title
from archspec.format import count
from archspec.graph.ir import Graph, total
from archspec.ops.base import Op, Shape

NAMES = {"depthwise_conv": "depthwise", "separable_conv": "separable", "bn": "batch norm", "lrn": "LRN"}
"""Operators that figures call differently."""


def operator_label(op: Op) -> str:
    """An operator with the arguments that a figure shows: `conv 3×3, 64, /2`; a transposed convolution has `×2`."""
    name = op.name or "input"
    step = "×" if name == "conv_transpose" else "/"
    values = vars(op)
    kernel = values.get("kernel_size", values.get("pool_size"))
    parts = [f"{NAMES.get(name, name)} {_sizes(kernel)}" if kernel is not None else NAMES.get(name, name)]
    for argument in ("filters", "units"):
        if isinstance(values.get(argument), int):
            parts.append(str(values[argument]))
    for argument, mark in (("strides", step), ("dilation_rate", "dilation "), ("groups", "groups ")):
        value = values.get(argument)
        if value is not None and value != 1 and not (argument == "groups" and kernel is None):
            parts.append(f"{mark}{_sizes(value)}")
    if isinstance(values.get("rate"), float):
        parts.append(f"{values['rate']:g}")
    if isinstance(values.get("num_heads", values.get("heads")), int):
        parts.append(f"{values.get('num_heads', values.get('heads'))} heads")
    return ", ".join(parts)


def _sizes(value: Any) -> str:
    """3 -> 3×3, (1, 7) -> 1×7; a stride or dilation of one number stays 2."""
    if isinstance(value, (tuple, list)):
        return str(value[0]) if len(value) == 1 else "×".join(map(str, value))
    return str(value)


def layer_label(block: Block, op: Op, rank: int) -> str:
    """The operator of a layer, after its name if its author gave it one: `conv1: conv 7×7, 64, /2`."""
    kernel = vars(op).get("kernel_size", vars(op).get("pool_size"))
    label = operator_label(op)
    if isinstance(kernel, int) and rank > 1:
        label = label.replace(f" {kernel}", f" {'×'.join([str(kernel)] * rank)}", 1)
    name = block.label.rpartition("/")[2]
    plain = name.rpartition("_")[0] if name.rpartition("_")[2].isdigit() else name
    return label if op.name in (name, plain) or not op.name else f"{name}: {label}"


def shape_label(shape: Shape) -> str:
    """`224×224×3`; a free size is `?`."""
    return "×".join("?" if size is None else str(size) for size in shape) or "1"


def figures(graph: Graph, block: Block, show: Sequence[str]) -> str:
    """`36.9K params · 115.6M MACs` of all layers of a block; empty without figures."""
    nodes = graph.nodes[block.start : block.stop]
    parts = []
    for figure in show:
        if figure == "params":
            number: int | None = sum(node.facts.params for node in nodes)
        else:
            number = total(node.facts.macs for node in nodes)
        if number != 0:
            parts.append(f"{count(number)} {'MACs' if figure == 'macs' else figure}")
    return " · ".join(parts)


def box_label(graph: Graph, block: Block) -> str:
    """The first line of a box, and the title of a frame: `conv 3×3, 64, shared`, `head: dense, 3 (output label)`."""
    node = graph.nodes[block.start]
    if not block.is_layer:
        label = title(block)
    elif not node.inputs:
        return node.path
    else:
        label = layer_label(block, node.op, len(graph.nodes[node.inputs[0]].shape) - 1)
    return f"{label}{', shared' if _is_shared(graph, block) else ''}{_output(graph, block)}"


def _is_shared(graph: Graph, block: Block) -> bool:
    """Whether all weights of a block are those of earlier layers."""
    nodes = [node for node in graph.nodes[block.start : block.stop] if node.facts.weights or node.shared]
    return bool(nodes) and all(node.shared for node in nodes)


def _output(graph: Graph, block: Block) -> str:
    """The name that the spec gives to an output, unless it is that of its layer or block."""
    names = [
        name
        for name, index in zip(graph.output_names, graph.outputs, strict=False)
        if index == block.stop - 1 and name not in (block.path, block.label, graph.nodes[index].path)
    ]
    return f" (output {names[0]})" if names else ""
