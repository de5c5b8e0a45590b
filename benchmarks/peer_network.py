"""The layers of a graph as JSON, from which `torch_train.py` builds the same network in PyTorch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from archspec.graph.ir import Graph, Node
from archspec.ops.window import before_and_after, explicit, rounding_up


def network_json(graph: Graph) -> dict[str, Any]:
    """The layers up to the logits, for `torch_train.Network`."""
    logits = [graph.nodes[i].inputs[0] if graph.nodes[i].op.name == "softmax" else i for i in graph.outputs]
    kept = [node for node in graph.layers if node.op.name != "softmax"]
    number = {0: 0, **{graph.nodes.index(node): place for place, node in enumerate(kept, 1)}}
    nodes = [
        {
            "op": node.op.name,
            "args": dataclasses.asdict(node.op) if dataclasses.is_dataclass(node.op) else {},
            "inputs": [number[i] for i in node.inputs],
            **shapes(graph, node),
        }
        for node in kept
    ]
    return {"nodes": nodes, "outputs": [number[i] for i in logits], "loss_weights": list(graph.loss_weights)}


def shapes(graph: Graph, node: Node) -> dict[str, Any]:
    """The channels of the input, and the pixels of padding before and after each axis."""
    size, op = graph.nodes[node.inputs[0]].shape, node.op
    found: dict[str, Any] = {"channels": size[-1]}
    if op.name == "pad_channels":
        extra = (node.shape[-1] or 0) - (size[-1] or 0)
        found["extra"] = [extra // 2, extra - extra // 2]
    padding = getattr(op, "padding", None)
    if padding is None:
        return found
    windows = getattr(op, "kernel_size", None) or op.pool_size  # type: ignore[attr-defined]
    strides = op.strides or windows  # type: ignore[attr-defined]
    pads = []
    for axis, (side, window, stride) in enumerate(zip(size[:2], both(windows), both(strides), strict=True)):
        if isinstance(padding, str):
            before, after = before_and_after(side, window, stride, 1, padding)
        else:
            before, after = explicit(padding, 2)[axis]
        if getattr(op, "ceil_mode", False):
            after += rounding_up(side, window, stride, before, after)
        pads.append([before, after])
    return {**found, "pads": pads}


def both(given: int | Sequence[int]) -> Sequence[int]:
    return (given, given) if isinstance(given, int) else given
