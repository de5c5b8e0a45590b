"""The depth of a network as papers count it: layers with kernels on the longest way from the input to the output.

VGG-16 has 16 (Simonyan & Zisserman 2014, Table 1), ResNet-152 has 152 (He et al. 2015, Table 1), GoogLeNet has 22
(Szegedy et al. 2014, section 5). Shortcuts and the gates of squeeze-and-excitation do not count.
"""

from __future__ import annotations

from archspec.graph.ir import Graph, Node

KERNELS = frozenset(
    ["conv", "depthwise_conv", "separable_conv", "conv_transpose", "dense", "attention", "window_attention"]
)
"""Operators that count as one layer, a separable convolution too, as in Xception (Chollet 2016, section 3)."""
GLOBAL_POOLS = frozenset(["global_avgpool", "global_maxpool", "adaptive_avgpool"])


def depth(graph: Graph) -> int:
    """The largest number of weight layers on a way from the input to the main output."""
    gated = gates(graph)
    counts: list[int] = []
    for index, node in enumerate(graph.nodes):
        before = max((counts[i] for i in node.inputs), default=0)
        counts.append(before + (0 if index in gated else weight_layers(node)))
    return counts[graph.outputs[0]]


def weight_layers(node: Node) -> int:
    """How many layers with kernels a node is: 1 or, for pooling and the like, 0."""
    return int(node.op.name in KERNELS)


def gates(graph: Graph) -> frozenset[int]:
    """The layers that compute a factor for each channel from its mean: squeeze-and-excitation (Hu et al. 2017)."""
    found: set[int] = set()
    for node in graph.layers:
        if node.op.name != "multiply":
            continue
        for start in node.inputs:
            way: list[int] = []
            here = start
            while here and len(graph.nodes[here].inputs) == 1 and graph.nodes[here].op.name not in GLOBAL_POOLS:
                way.append(here)
                here = graph.nodes[here].inputs[0]
            if graph.nodes[here].op.name in GLOBAL_POOLS and graph.nodes[start].shape != node.shape:
                found.update([*way, here])
    return frozenset(found)
