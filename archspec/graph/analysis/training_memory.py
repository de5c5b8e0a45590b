"""What a training step needs to have in memory, worked out from the graph before anything is allocated.

The forward pass leaves behind what the gradients will read (`Op.keeps`). The backward pass goes through the layers in
reverse, holds the gradients of feature maps that are still to be used and those of all weights so far, and lets go of
what has been read. The peak is the largest sum on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

from archspec.graph.ir import FLOAT_BYTES, Graph, Node
from archspec.ops.base import product

NORMALIZATION = 2
"""Maps of the output's size that the gradient of a normalization or of LRN holds meanwhile: Keras composes them."""
HEADROOM = 0.15
"""Of what comes and goes: what allocators cannot use, scratch memory of kernels (benchmarks/training_memory.py)."""
UPDATE = 3
"""Arrays of a weight's size for its update: its gradient, that with weight decay, its step.

They come to be during the backward pass, and are there until its end: what clips, accumulates or sums gradients over
devices needs all of them, and without it TensorFlow was measured to hold them too (benchmarks/training_memory.py).
"""


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes on one replica."""

    weights: int
    """All weights in float32, with their copies in half precision."""
    optimizer: int
    """What the optimizer keeps for each weight, moving averages and accumulated gradients included."""
    activations: int
    """What the forward pass leaves for the gradients."""
    backward: int
    """What the backward pass needs on top of all that at its peak."""

    @property
    def headroom(self) -> int:
        """What is lost between the pieces."""
        return round(HEADROOM * (self.activations + self.backward))

    @property
    def total(self) -> int:
        return self.weights + self.optimizer + self.activations + self.backward + self.headroom


@dataclass(frozen=True)
class Precision:
    """How the numbers are stored: Keras's `dtype_policy`."""

    policy: str = "float32"

    @property
    def mixed(self) -> bool:
        """Whether layers compute in half precision; weights and their updates stay in float32."""
        return self.policy.startswith("mixed_")

    @property
    def bytes(self) -> int:
        """Of one value of a feature map."""
        return FLOAT_BYTES // 2 if self.mixed else FLOAT_BYTES


FLOAT32 = Precision()


def training_memory(
    graph: Graph, images: int, slots: float = 1.0, precision: Precision = FLOAT32
) -> TrainingMemory | None:
    """Memory of a step with so many images on a replica; None when a size of the graph is free.

    `slots`: values that the optimizer keeps for each trainable weight: 1 for SGD with momentum, 2 for Adam.
    """
    if graph.activation_bytes is None:
        return None
    weights = graph.params * FLOAT_BYTES + (graph.trainable_params * precision.bytes if precision.mixed else 0)
    activations, peak = _Backward(graph, images * precision.bytes).peak()
    return TrainingMemory(weights, round(slots * graph.trainable_params * FLOAT_BYTES), activations, peak - activations)


def largest_batch(graph: Graph, memory: float, slots: float = 1.0, precision: Precision = FLOAT32) -> int:
    """The most images on one replica that fit into so many bytes; 0 when not even one does."""

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


class _Backward:
    def __init__(self, graph: Graph, scale: int) -> None:
        """`scale`: bytes of one value of a feature map, over all images."""
        self.nodes = graph.nodes
        self.outputs = graph.outputs
        self.size = [(product(node.shape) or 0) * scale for node in graph.nodes]
        self.beside = [round((self._workspace(node)) * scale) for node in graph.nodes]
        self.home = list(range(len(graph.nodes)))  # the node whose memory an output is in
        self.first_reader: dict[int, int] = {}  # of each kept map, the layer whose gradient reads it last
        for index, node in enumerate(graph.nodes):
            if index and node.op.in_place:
                self.home[index] = self.home[node.inputs[0]]
            for kept in self._kept(index, node):
                self.first_reader.setdefault(self.home[kept], index)

    def _workspace(self, node: Node) -> float:
        return node.op.workspace(*(self.nodes[i].shape for i in node.inputs)) or 0 if node.inputs else 0

    @staticmethod
    def _kept(index: int, node: Node) -> tuple[int, ...]:
        """The nodes whose maps the gradient of this one reads."""
        own = (index,) if "output" in node.op.keeps else ()
        return (*node.inputs, *own) if "inputs" in node.op.keeps else own

    def peak(self) -> tuple[int, int]:
        """(bytes kept when the backward pass begins, the most that is there at once, those included)."""
        kept = sum(self.size[home] for home in self.first_reader) + sum(self.beside)
        freed: dict[int, int] = {}
        for home, reader in self.first_reader.items():
            freed[reader] = freed.get(reader, 0) + self.size[home]
        gradients = {index: self.size[index] for index in self.outputs}
        now, most, updates = kept, kept, 0
        for index in range(len(self.nodes) - 1, 0, -1):
            node = self.nodes[index]
            arriving = {i: self.size[i] for i in node.inputs if i and i not in gradients}
            updates += UPDATE * FLOAT_BYTES * sum(weight.size for weight in node.facts.weights if weight.trainable)
            meanwhile = updates + self._composed(index, node)
            most = max(most, now + sum(gradients.values()) + sum(arriving.values()) + meanwhile)
            gradients.update(arriving)
            gradients.pop(index, None)
            now -= self.beside[index] + freed.get(index, 0)
        return kept, most

    def _composed(self, index: int, node: Node) -> int:
        return NORMALIZATION * self.size[index] if node.op.name in ("bn", "layer_norm", "group_norm", "lrn") else 0
