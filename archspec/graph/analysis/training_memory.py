"""Peak memory of a training step, computed from the graph before anything is allocated.

The forward pass keeps the tensors that the gradients read (`Op.keeps`). The backward pass visits the layers in reverse.
It holds the gradients of feature maps that are still needed and of all weights so far, and frees what has been read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from archspec.graph.ir import FLOAT_BYTES, Graph, Node
from archspec.ops.base import product

NORMALIZED = ("bn", "layer_norm", "group_norm", "lrn")
NORMALIZATION = 2
"""Temporary maps of the output's size in the gradient of NORMALIZED operators, which Keras composes of others."""
HEADROOM = 0.15
"""Share of activations and gradients lost to allocators and scratch memory (benchmarks/training_memory.py)."""
UPDATE = 3
"""Arrays of a weight's size for its update: the gradient, the gradient with weight decay, and the update itself.

They exist until the end of the backward pass: clipping, accumulation and the all-reduce need all of them.
TensorFlow holds them without these too, as measured (benchmarks/training_memory.py).
"""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes on one replica."""

    weights: int
    """All weights in float32, with their copies in half precision."""
    optimizer: int
    """Optimizer state, including moving averages and accumulated gradients."""
    activations: int
    """Tensors that the forward pass keeps for the gradients."""
    backward: int
    """Additional memory of the backward pass at its peak."""

    @property
    def headroom(self) -> int:
        """Memory lost to fragmentation and scratch space."""
        return round(HEADROOM * (self.activations + self.backward))

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.activations + self.backward + self.headroom


@dataclass(frozen=True)
class Precision:
    """The precision of weights and activations: Keras's `dtype_policy`."""

    policy: str = "float32"

    @property
    def mixed(self) -> bool:
        """Whether layers compute in half precision; weights and their updates stay in float32."""
        return self.policy.startswith("mixed_")

    @property
    def bytes(self) -> int:
        """Bytes of one value of a feature map."""
        return FLOAT_BYTES // 2 if self.mixed else FLOAT_BYTES


FLOAT32 = Precision()


def training_memory(
    graph: Graph, images: int, slots: float = 1.0, precision: Precision = FLOAT32
) -> TrainingMemory | None:
    """Memory of a step with `images` images on a replica; None if a size of the graph is free.

    `slots`: values that the optimizer keeps for each trainable weight: 1 for SGD with momentum, 2 for Adam.
    """
    if graph.activation_bytes is None:
        return None
    weights = graph.params * FLOAT_BYTES + (graph.trainable_params * precision.bytes if precision.mixed else 0)
    activations, peak = _backward(graph, images * precision.bytes)
    return TrainingMemory(weights, round(slots * graph.trainable_params * FLOAT_BYTES), activations, peak - activations)


def largest_batch(graph: Graph, memory: float, slots: float = 1.0, precision: Precision = FLOAT32) -> int:
    """The largest number of images on one replica that fits into `memory` bytes; 0 if none does."""

    def fits(images: int) -> bool:
        needed = training_memory(graph, images, slots, precision)
        return needed is not None and needed.total <= memory

    if not fits(1):
        return 0
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def kept_maps(graph: Graph) -> dict[int, int]:
    """The nodes whose outputs the forward pass keeps, each with the first node that makes the gradient read it.

    The backward pass visits that node last, and then frees the output.
    """
    home = list(range(len(graph.nodes)))  # the node whose memory holds an output
    found: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        if index and node.op.in_place:
            home[index] = home[node.inputs[0]]
        inputs = node.inputs if "inputs" in node.op.keeps else ()
        for kept in (*inputs, *([index] if "output" in node.op.keeps else [])):
            found.setdefault(home[kept], index)
    return found


def _backward(graph: Graph, scale: int) -> tuple[int, int]:
    """(bytes kept when the backward pass begins, peak bytes during it, including those).

    `scale`: bytes of one value of a feature map, over all images.
    """
    nodes = graph.nodes
    size = [(product(node.shape) or 0) * scale for node in nodes]
    workspace = [round(_workspace(graph, node) * scale) for node in nodes]
    kept = kept_maps(graph)
    now = most = begin = sum(size[each] for each in kept) + sum(workspace)
    freed = Counter[int]()
    for each, reader in kept.items():
        freed[reader] += size[each]
    gradients = {index: size[index] for index in graph.outputs}
    updates = 0
    for index in range(len(nodes) - 1, graph.input_count - 1, -1):
        node = nodes[index]
        arriving = {i: size[i] for i in node.inputs if i >= graph.input_count and i not in gradients}
        updates += UPDATE * FLOAT_BYTES * sum(weight.size for weight in node.facts.weights if weight.trainable)
        temporary = NORMALIZATION * size[index] if node.op.name in NORMALIZED else 0
        most = max(most, now + sum(gradients.values()) + sum(arriving.values()) + updates + temporary)
        gradients.update(arriving)
        gradients.pop(index, None)
        now -= workspace[index] + freed[index]
    return begin, most


def _workspace(graph: Graph, node: Node) -> float:
    return node.op.workspace(*graph.shapes_into(node)) or 0 if node.inputs else 0
