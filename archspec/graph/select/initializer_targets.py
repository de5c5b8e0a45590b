"""The initializer of each weight of a graph, by the rules of `init:`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec.diagnostics import Span, fail, listed
from archspec.graph.ir import Graph, Node
from archspec.graph.select.path_patterns import matches, unmatched
from archspec.lang.recipes.initializers import Initializer, Rule
from archspec.ops import OPS

Where = Callable[[str], Span | None]
"""From the key of a rule to its place in a spec."""

Place = tuple[str, int]
"""The path of a layer, and the position of one of its weights."""


def initializers(graph: Graph, rules: Sequence[Rule], where: Where = lambda layers: None) -> dict[Place, Initializer]:
    """The initializer of every weight that a rule selects; the last rule wins.

    Raises ArchspecError: `unmatched-pattern` for a pattern that no layer fits (an operator that the network does not
    have is no mistake: another variant may), `unmatched-weight` where no layer of a rule has such a weight.
    """
    layers = [node for node in graph.layers if node.facts.weights]
    found: dict[Place, Initializer] = {}
    for rule in rules:
        meant = [node for node in layers if _means(rule.layers, node)]
        if not meant and not OPS.find(rule.layers):
            raise unmatched(rule.layers, [node.path for node in layers], where(rule.layers))
        places = [(node.path, i) for node in meant for i in _weights(node, rule.weight)]
        if meant and not places:
            names = dict.fromkeys(weight.name for node in meant for weight in node.facts.weights)
            message = f"the layers that match `{rule.layers}` have no weight `{rule.weight or 'kernel'}`"
            raise fail("unmatched-weight", message, where(rule.layers), help=f"their weights are: {listed(names)}")
        found.update(dict.fromkeys(places, rule.initializer))
    return found


def _means(layers: str, node: Node) -> bool:
    return node.op.name == layers if layers in OPS else matches(layers, node.path)


def _weights(node: Node, name: str | None) -> list[int]:
    """The positions of the weights of that name, in any layer of the operator; without a name, of the kernels."""
    return [
        i
        for i, weight in enumerate(node.facts.weights)
        if (weight.is_kernel if name is None else name in (weight.name, weight.name.rpartition("/")[2]))
    ]
