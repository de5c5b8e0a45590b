"""What a recipe selects by path patterns: weights to initialize, layers to freeze, learning rates to multiply."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from archspec.diagnostics import Span, fail, listed
from archspec.graph.ir import Graph, Node
from archspec.graph.select.path_patterns import matches, unmatched
from archspec.lang.recipes.initializers import Initializer, Rule
from archspec.lang.recipes.recipe import Recipe
from archspec.ops import OPS

Where = Callable[..., Span | None]
"""From the keys of a path within `train:` to its place in a spec."""

Place = tuple[str, int]
"""The path of a layer, and the position of one of its weights."""


def initializers(graph: Graph, rules: Sequence[Rule], where: Where = lambda *path: None) -> dict[Place, Initializer]:
    """The initializer of every weight that a rule selects; the last rule wins.

    Raises ArchspecError: `unmatched-pattern` for a pattern that no layer fits (an operator that the network does not
    have is no mistake: another variant may), `unmatched-weight` where no layer of a rule has such a weight.
    """
    layers = [node for node in graph.layers if node.facts.weights]
    found: dict[Place, Initializer] = {}
    for rule in rules:
        meant = [node for node in layers if _means(rule.layers, node)]
        if not meant and not OPS.get(rule.layers):
            raise unmatched(rule.layers, [node.path for node in layers], where("init", rule.layers))
        places = [(node.path, i) for node in meant for i in _weights(node, rule.weight)]
        if meant and not places:
            names = dict.fromkeys(weight.name for node in meant for weight in node.facts.weights)
            message = f"the layers that match `{rule.layers}` have no weight `{rule.weight or 'kernel'}`"
            raise fail(
                "unmatched-weight", message, where("init", rule.layers), help=f"their weights are: {listed(names)}"
            )
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


def check_recipe(graph: Graph, recipe: Recipe, where: Where) -> None:
    """Raises ArchspecError: those of `initializers` and `frozen`."""
    initializers(graph, recipe.init, where)
    frozen(graph, recipe.freeze, where)
    multipliers(graph, recipe.rate_multipliers or {}, where)


def frozen(graph: Graph, patterns: Iterable[str], where: Where = lambda *path: None) -> set[str]:
    """The paths of the layers with weights that match a pattern.

    Raises ArchspecError: `unmatched-pattern`; `nothing-to-train` where no layer that learns is left.
    """
    found = {path for pattern in patterns for path in _fitting(graph, pattern, where("freeze"))}
    if found and not any(node.facts.trainable_params for node in graph.layers if node.path not in found):
        message = f"every layer of `{graph.name}` is frozen, so nothing is left to train"
        raise fail("nothing-to-train", message, where("freeze"), help="do not freeze the classifier")
    return found


def multipliers(graph: Graph, factors: Mapping[str, float], where: Where = lambda *path: None) -> dict[str, float]:
    """Path -> factor of the learning rate of each layer that matches a pattern; the last pattern wins.

    Raises ArchspecError (unmatched-pattern).
    """
    found: dict[str, float] = {}
    for pattern, factor in factors.items():
        fitting = _fitting(graph, pattern, where("rate_multipliers", pattern))
        found.update(dict.fromkeys(fitting, factor))
    return found


def _fitting(graph: Graph, pattern: str, span: Span | None) -> list[str]:
    paths = [node.path for node in graph.layers if node.facts.weights]
    fitting = [path for path in paths if matches(pattern, path)]
    if not fitting:
        raise unmatched(pattern, paths, span)
    return fitting
