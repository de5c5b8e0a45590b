"""A network for inference: the same outputs from fewer layers.

Layers that have no effect at inference are removed, standardized weights are computed once, and layers that multiply
and add in each channel are absorbed by the convolution, depthwise or separable convolution, or dense layer beside them
(`channel_affine`). Outputs equal those of the original up to rounding: 1e-5 of the largest logit in float32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from archspec.graph.compile.inference import changed, infer
from archspec.graph.compile.share import owned
from archspec.graph.ir import Graph, Node, ancestors
from archspec.graph.rewrite.channel_affine import (
    ABSORBING,
    Array,
    ChannelAffine,
    absorbed_before,
    absorbed_behind,
    affine_of,
    is_padded,
)
from archspec.graph.rewrite.weight_standardization import is_standardized, plain_convolution, plain_weights

WITHOUT_EFFECT = ("dropout", "spatial_dropout", "stochastic_depth", "linear")
"""Operators that return their input at inference."""
RESHAPES = ("flatten", "reshape")
"""Operators that change the shape and keep the values in order."""

Weights = Mapping[str, Sequence[Array]]
"""Path of a layer -> its weights in the order of the graph."""


@dataclass(frozen=True)
class ForInference:
    """The rewritten network. Its layers keep their paths; an output may be that of an earlier layer."""

    graph: Graph
    weights: dict[str, list[Array]]
    """Path of a layer -> its weights, float32."""
    rewrites: tuple[str, ...]
    """What was done, for people: `53 bn absorbed by the layer before`."""
    input_absorbed: bool
    """Whether the first layer contains the `input_affine`."""


def for_inference(graph: Graph, weights: Weights, *, input_affine: ChannelAffine | None = None) -> ForInference:
    """Rewrite a network and its weights for inference; layers that no output depends on are left out.

    Args:
        graph: the network; each of its outputs stays an output.
        weights: of every layer that has any.
        input_affine: what is computed with the input before the network, which its first layer may absorb.

    Raises:
        ValueError: for a layer without weights, or with weights of other shapes than those of the graph.
    """
    for node in graph.layers:
        shapes = [tuple(np.shape(each)) for each in weights.get(node.path, ())]
        if shapes != [weight.shape for weight in node.facts.weights]:
            raise ValueError(f"the weights of `{node.path}` have the shapes {shapes}")
    rewriting = _Rewriting(graph, {path: list(each) for path, each in weights.items()})
    rewriting.drop_unused()
    rewriting.remove_layers_without_effect()
    rewriting.merge_reshapes()
    rewriting.fold_standardization()
    rewriting.absorb()
    absorbed = input_affine is not None and rewriting.absorb_input(input_affine)
    return rewriting.result(input_absorbed=absorbed)


@dataclass
class _Rewriting:
    """The nodes under their old indices; a removed node is None, and its readers read its input."""

    graph: Graph
    weights: dict[str, list[Array]]
    nodes: dict[int, Node] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    tied: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nodes = dict(enumerate(self.graph.nodes))
        self.outputs = list(self.graph.outputs)
        self.tied = {self.graph.nodes[index].path for index in self.graph.tied}

    # ---- removal ------------------------------------------------------------------------------------------------

    def drop_unused(self) -> None:
        used, count = ancestors(self.graph, *self.outputs), self.graph.input_count
        self.nodes = {index: node for index, node in self.nodes.items() if index in used or index < count}
        left = {node.path for node in self.nodes.values()}
        for index, node in self.nodes.items():
            if node.shared and node.shared not in left:  # the owner of the weights was left out
                self.nodes[index] = owned(node, self.graph.shapes_into(node))
                left.add(node.shared)

    def remove_layers_without_effect(self) -> None:
        for index, node in list(self.nodes.items()):
            if node.op.name in WITHOUT_EFFECT and index not in self.outputs:
                self._remove(index)
                self.done[f"{node.op.name} removed"] += 1

    def merge_reshapes(self) -> None:
        """Let a reshape read what the reshapes before it read; remove those that keep the shape."""
        for index in list(self.nodes):
            node = self.nodes.get(index)
            if node is None or node.op.name not in RESHAPES or None in node.shape:
                continue
            source = node.inputs[0]
            while self.nodes[source].op.name in RESHAPES and None not in self.nodes[self.nodes[source].inputs[0]].shape:
                source = self.nodes[source].inputs[0]
            if source != node.inputs[0]:
                facts = infer(changed(node.op), (self.nodes[source].shape,))
                if facts.shape != node.shape:  # a target of -1 that meant a part of the values
                    continue
                before = node.inputs[0]
                self.nodes[index] = node._replace(inputs=(source,), facts=facts)
                while before != source and not self._readers(before):
                    self.done[f"{self.nodes[before].op.name} removed"] += 1
                    before = self.nodes.pop(before).inputs[0]
            if self.nodes[source].shape == node.shape and index not in self.outputs:
                self._remove(index)
                self.done[f"{node.op.name} removed"] += 1

    def fold_standardization(self) -> None:
        """Give convolutions with `standardize` the kernels that they use, as plain convolutions."""
        for index, node in self.nodes.items():
            if not is_standardized(node.op):
                continue
            op = plain_convolution(node.op)
            facts = infer(op, tuple(self.nodes[i].shape for i in node.inputs))
            self.nodes[index] = node._replace(op=op, facts=facts.sharing() if node.shared else facts)
            if not node.shared:
                self.weights[node.path] = plain_weights(node.op, self.weights[node.path])
                self.done["standardization of weights folded into the kernel"] += 1

    def _remove(self, index: int) -> None:
        """Remove a layer with one input; its readers read that input."""
        (source,) = self.nodes.pop(index).inputs
        for other, node in self.nodes.items():
            if index in node.inputs:
                self.nodes[other] = node._replace(inputs=tuple(source if i == index else i for i in node.inputs))
        self.outputs = [source if i == index else i for i in self.outputs]

    def _readers(self, index: int) -> list[int]:
        """The nodes that read a node, once for each reading; -1 for an output of the network."""
        found = [other for other, node in self.nodes.items() for i in node.inputs if i == index]
        return found + [-1] * self.outputs.count(index)

    # ---- absorption ---------------------------------------------------------------------------------------------

    def absorb(self) -> None:
        """Absorb affine layers by the layer before them, else by the one behind, until nothing changes."""
        found = True
        while found:
            found = False
            for index in list(self.nodes):
                if index in self.nodes and (self._into_the_layer_before(index) or self._into_the_layer_behind(index)):
                    found = True

    def _into_the_layer_before(self, index: int) -> bool:
        affine = self._affine(index)
        if affine is None:
            return False
        node = self.nodes[index]
        (source,) = node.inputs
        layer = self.nodes[source]
        if layer.op.name not in ABSORBING or self._is_tied(layer) or len(self._readers(source)) > 1:
            return False
        self._set(source, absorbed_behind(layer, self.weights[layer.path], affine))
        self._forget(index, "absorbed by the layer before")
        return True

    def _into_the_layer_behind(self, index: int) -> bool:
        affine = self._affine(index)
        readers = self._readers(index)
        if affine is None or len(readers) != 1 or readers[0] < 0:
            return False
        if not self._absorb_before(readers[0], self.nodes[index].shape, affine):
            return False
        self._forget(index, "absorbed by the layer behind")
        return True

    def absorb_input(self, affine: ChannelAffine) -> bool:
        """Absorb what is computed with the input of the network, if its only reader can."""
        readers = self._readers(0)
        if self.graph.input_count > 1:
            return False
        if len(readers) != 1 or readers[0] < 0 or not self._absorb_before(readers[0], self.nodes[0].shape, affine):
            return False
        self.done["input normalization absorbed by the first layer"] += 1
        return True

    def _absorb_before(self, index: int, entering: tuple[int | None, ...], affine: ChannelAffine) -> bool:
        layer = self.nodes[index]
        if (
            layer.op.name not in ABSORBING
            or self._is_tied(layer)
            or (is_padded(layer, entering) and affine.shift.any())
        ):
            return False
        self._set(index, absorbed_before(layer, self.weights[layer.path], affine))
        return True

    def _is_tied(self, node: Node) -> bool:
        """Whether it shares weights: what comes before or after it cannot be absorbed by all that use them."""
        return node.path in self.tied

    def _affine(self, index: int) -> ChannelAffine | None:
        node = self.nodes[index]
        size = node.shape[-1] if node.shape else None
        if index < self.graph.input_count or size is None or self._is_tied(node):
            return None
        return affine_of(node, self.weights.get(node.path, ()), size)

    def _set(self, index: int, weights: list[Array]) -> None:
        """Give a layer a bias and these weights."""
        node = self.nodes[index]
        op = changed(node.op, use_bias=True)
        facts = infer(op, tuple(self.nodes[i].shape for i in node.inputs))
        self.nodes[index] = node._replace(op=op, facts=facts)
        self.weights[node.path] = weights

    def _forget(self, index: int, what: str) -> None:
        node = self.nodes[index]
        self._remove(index)
        self.weights.pop(node.path, None)
        self.done[f"{node.op.name} {what}"] += 1

    # ---- the result ---------------------------------------------------------------------------------------------

    def result(self, *, input_absorbed: bool) -> ForInference:
        place = {old: new for new, old in enumerate(self.nodes)}
        nodes = tuple(node._replace(inputs=tuple(place[i] for i in node.inputs)) for node in self.nodes.values())
        graph = replace(self.graph, nodes=nodes, outputs=tuple(place[i] for i in self.outputs))
        weights = {
            node.path: [np.asarray(each, np.float32) for each in self.weights[node.path]]
            for node in nodes
            if node.facts.weights
        }
        rewrites = tuple(f"{count} {what}" for what, count in self.done.items())
        return ForInference(graph, weights, rewrites, input_absorbed)
