"""The difference of two networks: changed, removed and added layers, and the totals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from archspec.declare import arguments
from archspec.graph.analysis.receptive_field import receptive_fields
from archspec.graph.diff.align import Pair, align, key_of
from archspec.graph.ir import Graph, Node


@dataclass(frozen=True)
class Change:
    """A layer of both networks (`left` and `right`), or of one of them; None is the other's lack of it."""

    left: Node | None
    right: Node | None
    arguments: Mapping[str, tuple[Any, Any]]
    """The arguments that differ in effect, with both values."""
    reads: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """The paths of the inputs, where the layers that it read have partners, and others are read now."""

    @property
    def sign(self) -> str:
        """`-` is removed, `+` added, `~` changed, `=` unchanged."""
        if self.left is None or self.right is None:
            return "+" if self.left is None else "-"
        same = self.left.shape == self.right.shape and self.left.facts.weights == self.right.facts.weights
        return "=" if same and not self.arguments and self.reads is None else "~"


@dataclass(frozen=True)
class Totals:
    """Totals of a network. Memory: outputs of all layers for one sample in float32, in bytes."""

    layers: int
    params: int
    trainable_params: int
    macs: int | None
    activation_bytes: int | None
    receptive_field: tuple[float, ...] | None
    """Of the last layer in which units differ in what they see, pixels."""
    stride: tuple[float, ...] | None
    """Of the same layer: pixels of the input from one unit to the next."""


@dataclass(frozen=True)
class Difference:
    """The layers of two networks, aligned and compared."""

    left: Graph
    """The first network."""
    right: Graph
    """The second network."""
    changes: tuple[Change, ...]
    """All layers in order, equal ones included; `sign` says how they differ."""

    def render(self, format: Literal["text", "json", "markdown"] = "text", *, context: int = 1) -> str:
        """The changed layers and the totals as text, JSON or Markdown, with `context` equal layers around changes."""
        from archspec.graph.diff.formats import FORMATS

        return FORMATS[format](self, context)


def difference(left: Graph, right: Graph) -> Difference:
    """Align the layers of two networks and compare them pair by pair."""
    keys = [[key_of(graph, index) for index in range(1, len(graph.nodes))] for graph in (left, right)]
    pairs: list[Pair] = [(i if i is None else i + 1, j if j is None else j + 1) for i, j in align(*keys)]
    partner = {0: 0, **{i: j for i, j in pairs if i is not None and j is not None}}
    return Difference(left, right, tuple(_change(left, right, i, j, partner) for i, j in pairs))


def _change(left: Graph, right: Graph, i: int | None, j: int | None, partner: Mapping[int, int]) -> Change:
    if i is None or j is None:
        return Change(None if i is None else left.nodes[i], None if j is None else right.nodes[j], {})
    one, other = left.nodes[i], right.nodes[j]
    return Change(one, other, dict(_arguments(left, right, one, other)), _reads(left, right, one, other, partner))


def _arguments(left: Graph, right: Graph, one: Node, other: Node) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for argument in arguments(type(one.op)):
        a, b = getattr(one.op, argument.name), getattr(other.op, argument.name)
        if a != b and not (argument.name == "padding" and _view(left, one) == _view(right, other)):
            yield argument.name, (a, b)


def _view(graph: Graph, node: Node) -> Any:
    return node.op.view(*(graph.nodes[i].shape for i in node.inputs))


def _reads(
    left: Graph, right: Graph, one: Node, other: Node, partner: Mapping[int, int]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Both lists of inputs if all inputs have partners in the other network, but not each other."""
    known = set(partner.values())
    if any(i not in partner for i in one.inputs) or any(j not in known for j in other.inputs):
        return None  # a new layer stands between, which is a change of its own
    if [partner[i] for i in one.inputs] == list(other.inputs):
        return None
    return tuple(left.nodes[i].path for i in one.inputs), tuple(right.nodes[j].path for j in other.inputs)


def totals(graph: Graph) -> Totals:
    """The totals of a network."""
    fields = [field for field in receptive_fields(graph) if field and any(field.stride)]
    return Totals(
        len(graph.layers),
        graph.params,
        graph.trainable_params,
        graph.macs,
        graph.activation_bytes,
        fields[-1].size if fields else None,
        fields[-1].stride if fields else None,
    )
