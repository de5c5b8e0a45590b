"""A deeper network by construction: the layers of a shallower one, and identity layers between them.

"There exists a solution by construction to the deeper model: the added layers are identity mapping, and the other
layers are copied from the learned shallower model" (He et al. 2016, section 1). An identity layer follows a relu:
a convolution whose kernel is 1 at its centre for each channel, or a dense layer whose kernel is the identity matrix,
and a relu, which does not change non-negative values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from archspec.diagnostics import counted, fail, listed
from archspec.graph.compile.inference import infer, made
from archspec.graph.ir import Graph, Node
from archspec.graph.patterns import matches
from archspec.ops.base import Op


@dataclass(frozen=True)
class Deepened:
    """The deeper network. `identities` are the paths of its new layers with weights; all others keep their paths."""

    graph: Graph
    identities: tuple[str, ...]


def deepen(
    graph: Graph, after: Mapping[str, int] | Sequence[str], *, kernel_size: int = 3, normalized: bool = False
) -> Deepened:
    """Insert identity layers after relus.

    Args:
        after: patterns of the paths of relus, each with the number of layers to add after it; one by default.
        kernel_size: side of the windows of the new convolutions, pixels; odd, for a centre.
        normalized: add batch normalization after each, and no bias.

    Raises ArchspecError (deepen) for a pattern that matches no relu, an even window, or a number below 1.
    """
    counts = after if isinstance(after, Mapping) else dict.fromkeys(after, 1)
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise fail(
            "deepen", f"`kernel_size` is {kernel_size}, but an identity layer needs an odd window", help="use 1, 3 or 5"
        )
    grown = _Growing(graph, kernel_size, normalized)
    wanted = _wanted(graph, counts)
    place: list[int] = []
    for index, node in enumerate(graph.nodes):
        grown.nodes.append(node._replace(inputs=tuple(place[i] for i in node.inputs)))
        place.append(len(grown.nodes) - 1)
        for number in range(1, wanted.get(index, 0) + 1):
            place[index] = grown.identity(node, number)
    outputs = tuple(place[i] for i in graph.outputs)
    deeper = replace(graph, name=f"{graph.name}-deeper", nodes=tuple(grown.nodes), outputs=outputs)
    return Deepened(deeper, tuple(grown.identities))


def _wanted(graph: Graph, counts: Mapping[str, int]) -> dict[int, int]:
    """The number of layers to add after each node."""
    relu = made("relu", {})  # not a leaky one, whose outputs can be negative
    relus = {index: node.path for index, node in enumerate(graph.nodes) if node.op == relu}
    wanted: dict[int, int] = {}
    for pattern, count in counts.items():
        found = [index for index, path in relus.items() if matches(pattern, path)]
        if not found or count < 1:
            fact = f"cannot add {counted(count, 'layer')}" if found else f"no relu matches `{pattern}`"
            note = f"the relus are: {listed(relus.values(), 12)}"
            why = "identity layers go after a relu: elsewhere their own relu would set negative values to zero"
            raise fail("deepen", fact, notes=[note], help=why)
        wanted.update(dict.fromkeys(found, count))
    return wanted


@dataclass
class _Growing:
    """The nodes so far."""

    graph: Graph
    kernel_size: int
    normalized: bool
    nodes: list[Node] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)

    def identity(self, node: Node, number: int) -> int:
        """Add an identity layer of the shape of `node`: its last index."""
        path = f"{node.path}_identity" + (f"_{number}" if number > 1 else "")
        size = node.shape[-1]
        bias = not self.normalized
        if len(node.shape) == 1:
            self._add(node, f"{path}/dense", made("dense", {"units": size, "use_bias": bias}))
        else:
            values = {"filters": size, "kernel_size": self.kernel_size, "padding": "same", "use_bias": bias}
            self._add(node, f"{path}/conv", made("conv", values))
        if self.normalized:
            self._add(node, f"{path}/bn", made("bn", {}))
        return self._add(node, f"{path}/relu", made("relu", {}))

    def _add(self, node: Node, path: str, op: Op) -> int:
        source = len(self.nodes) - 1
        facts = infer(op, (self.nodes[source].shape,))
        self.nodes.append(Node(path, op, (source,), facts, node.span))
        if facts.weights:
            self.identities.append(path)
        return len(self.nodes) - 1
