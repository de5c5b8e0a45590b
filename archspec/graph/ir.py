"""The static graph: every layer with its shape, weights and cost, in topological order. Frozen data."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count
from typing import NamedTuple

from archspec.diagnostics import Span, counted
from archspec.format import count as short_count
from archspec.ops.base import Op, Shape, View, Weight, product, show

INPUT = Op()
"""The operator of the inputs of a network."""

AGAIN = "_again"
"""What the path of a Keras layer ends in where the layer is called again."""

FLOAT_BYTES = 4  # float32


class Facts(NamedTuple):
    """Output shape, weights and cost of an operator for given input shapes."""

    shape: Shape
    weights: tuple[Weight, ...]
    macs: int | None
    params: int
    trainable_params: int

    def sharing(self) -> Facts:
        """The facts of a layer that uses the weights of another one."""
        return self._replace(weights=(), params=0, trainable_params=0)


class Node(NamedTuple):
    """A layer. `inputs` are indices of earlier nodes; the first nodes of a network are its inputs."""

    path: str
    op: Op
    inputs: tuple[int, ...]
    facts: Facts
    span: Span
    shared: str | None = None
    """The path of the layer whose weights it uses (`share`); its own facts then have no weights."""

    def __repr__(self) -> str:
        return f"<{self.path}: {self.op!r} -> {show(self.shape)}>"

    @property
    def shape(self) -> Shape:
        return self.facts.shape

    @property
    def keras_name(self) -> str:
        """The path with dots: Keras 3 rejects `/` in a name (docs/decisions/0002-layer-names.md)."""
        return self.path.replace("/", ".")

    @property
    def weighted_layers(self) -> tuple[str, ...]:
        """Names of the Keras layers with its weights: `a.b`, and `a.b.gate` for weights such as `gate/kernel`."""
        parts = dict.fromkeys(weight.name.rpartition("/")[0] for weight in self.facts.weights)
        return tuple(f"{self.keras_name}.{part}" if part else self.keras_name for part in parts)

    @property
    def activation_bytes(self) -> int | None:
        """Memory of the output for one sample in float32; None when a size is free."""
        size = product(self.facts.shape)
        return None if size is None else size * FLOAT_BYTES


def unused_name(word: str, taken: Container[str]) -> str:
    """The word, or else the first of `word_2`, `word_3`, ... that is not taken."""
    return next(name for name in chain([word], (f"{word}_{number}" for number in count(2))) if name not in taken)


def ancestors(graph: Graph, *outputs: int) -> set[int]:
    """These nodes and all nodes that they depend on."""
    found = set(outputs)
    for index in range(len(graph.nodes) - 1, 0, -1):
        if index in found:
            found.update(graph.nodes[index].inputs)
    return found


def total(counts: Iterable[int | None]) -> int | None:
    """The sum; None when one of the counts is unknown."""
    known = list(counts)
    return None if None in known else sum(filter(None, known))


@dataclass(frozen=True)
class Graph:
    """The static graph of a network. `graph["stage2/conv1"]` is the layer of that path."""

    name: str
    """The name of the Keras model: `vgg-D`."""
    nodes: tuple[Node, ...]
    """The input and all layers, in topological order."""
    outputs: tuple[int, ...]
    """Indices of the output nodes, the main one first."""
    loss_weights: tuple[float, ...]
    """The weight of the loss of each output."""
    input_count: int = 1
    """The number of inputs."""
    output_names: tuple[str, ...] = ()
    """The names of the outputs where the spec names them; else they have the paths of their layers."""

    def __repr__(self) -> str:
        return (
            f"<Graph {self.name}: {counted(len(self.layers), 'layer')}, {self.signature}, "
            f"{short_count(self.params)} params, {short_count(self.macs)} MACs>"
        )

    @property
    def layers(self) -> tuple[Node, ...]:
        """All nodes but the inputs."""
        return self.nodes[self.input_count :]

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The inputs, most often one of the path `input`."""
        return self.nodes[: self.input_count]

    @property
    def input_shape(self) -> Shape:
        """Of one sample, of the first input; None where a size is free."""
        return self.nodes[0].shape

    @property
    def output_shape(self) -> Shape:
        """Of the main output, for one sample."""
        return self.nodes[self.outputs[0]].shape

    @property
    def named_outputs(self) -> dict[str, Shape]:
        """The shape of each output, for one sample, by its name or the path of its layer."""
        names = self.output_names or tuple(self.nodes[index].path for index in self.outputs)
        return {name: self.nodes[index].shape for name, index in zip(names, self.outputs, strict=True)}

    @property
    def declares_outputs(self) -> bool:
        """Whether a spec needs `outputs` for it: for several, or for a name."""
        return len(self.outputs) > 1 or bool(self.output_names)

    @property
    def signature(self) -> str:
        """The shapes of one sample: `(224, 224, 3) -> (1000,)`; with names, those of all inputs and outputs."""
        entering = [(node.path, node.shape) for node in self.inputs]
        leaving = list(self.named_outputs.items()) if self.output_names else [("", self.output_shape)]
        return " -> ".join(
            ", ".join(f"{name} {show(shape)}" if named else show(shape) for name, shape in each)
            for each, named in ((entering, len(entering) > 1), (leaving, bool(self.output_names)))
        )

    @cached_property
    def params(self) -> int:
        """The number of parameters."""
        return sum([node.facts.params for node in self.nodes])

    @cached_property
    def trainable_params(self) -> int:
        """The number of parameters that training updates."""
        return sum([node.facts.trainable_params for node in self.nodes])

    @property
    def non_trainable_params(self) -> int:
        """The number of parameters that training does not update: moving averages."""
        return self.params - self.trainable_params

    @cached_property
    def macs(self) -> int | None:
        """Multiply-accumulates of convolutions, dense layers and matrix products for one sample; FLOPs = 2 x MACs."""
        return total([node.facts.macs for node in self.nodes])

    @cached_property
    def activation_bytes(self) -> int | None:
        """Memory of the outputs of all layers for one sample in float32, in bytes."""
        return total(node.activation_bytes for node in self.nodes)

    @cached_property
    def tied(self) -> dict[int, int]:
        """The nodes that use the same weights -> the node that owns them, which is among them."""
        owners = {node.path: index for index, node in enumerate(self.nodes) if node.facts.weights}
        pairs = {index: owners[node.shared] for index, node in enumerate(self.nodes) if node.shared}
        return {owner: owner for owner in pairs.values()} | pairs

    def shapes_into(self, node: Node) -> tuple[Shape, ...]:
        """The shapes that a layer reads."""
        return tuple([self.nodes[i].facts.shape for i in node.inputs])

    def view(self, node: Node) -> View:
        """The part of its inputs that each unit of a layer reads."""
        return node.op.view(*self.shapes_into(node))

    def __getitem__(self, path: str) -> Node:
        """The layer of that path. Raises KeyError."""
        return self.nodes[self._index[path]]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {node.path: i for i, node in enumerate(self.nodes)}
