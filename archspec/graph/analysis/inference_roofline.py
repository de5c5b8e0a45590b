"""An upper bound on the speed of inference: the roofline of the training plan, for the forward pass alone."""

from __future__ import annotations

from archspec.graph.analysis.weight_layers import weight_layers
from archspec.graph.ir import FLOAT_BYTES, Graph
from archspec.ops.base import product


def inference_seconds(graph: Graph, images: int, flops: float, bandwidth: float) -> float | None:
    """The least seconds of a forward pass of `images` images in float32; None if a size is free.

    A layer with kernels takes as long as its arithmetic or the traffic of its inputs, outputs and weights does,
    whichever is longer. All other layers can be fused into these, so they count as free.

    Args:
        flops: FLOP/s of the device in float32.
        bandwidth: bytes/s of its memory.
    """
    seconds = 0.0
    for index, node in enumerate(graph.nodes):
        if not weight_layers(node):
            continue
        sizes = [product(graph.nodes[i].shape) for i in (*node.inputs, index)]
        if node.facts.macs is None or None in sizes:
            return None
        moved = (images * sum(size or 0 for size in sizes) + node.facts.params) * FLOAT_BYTES
        seconds += max(2 * images * node.facts.macs / flops, moved / bandwidth)
    return seconds
