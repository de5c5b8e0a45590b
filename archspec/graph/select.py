"""The layers and weights of a graph that a recipe selects by patterns, and the pairs of `--init-map`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from archspec.diagnostics import Span, fail, listed
from archspec.graph.ir import Graph, Node
from archspec.graph.patterns import check_pattern, matcher, matches, unmatched
from archspec.ops import OPS

if TYPE_CHECKING:
    from archspec.lang.recipes.initializers import Initializer, Rule
    from archspec.lang.recipes.recipe import Recipe

Where = Callable[..., Span | None]
"""From the keys of a path within `train:` to its place in a spec."""

Place = tuple[str, int]
"""The path of a layer, and the position of one of its weights."""


def initializers(graph: Graph, rules: Sequence[Rule], where: Where = lambda *path: None) -> dict[Place, Initializer]:
    """The initializer of every weight that a rule selects; the last rule wins.

    Raises ArchspecError: `unmatched-pattern` for a pattern that matches no layer (an operator that the network does not
    use is not an error: another variant may use it), `unmatched-weight` where no layer of a rule has such a weight.
    """
    if not rules:
        return {}
    layers = [node for node in graph.layers if node.facts.weights]
    patterns = [i for i, rule in enumerate(rules) if rule.layers not in OPS]
    for i in patterns:
        check_pattern(rules[i].layers, where("init", rules[i].layers))
    match = matcher(tuple(rules[i].layers for i in patterns))
    found: dict[Place, Initializer] = {}
    meant: set[int] = set()
    placed: set[int] = set()
    chosen: dict[tuple[int, str, int], dict[int, int]] = {}  # weight -> rule, for layers that are alike
    of_ops: dict[str, list[int]] = {}
    for i, rule in enumerate(rules):
        of_ops.setdefault(rule.layers, []).append(i)
    for node in layers:
        alike = (match.end(node.path), node.op.name, id(node.facts.weights))  # hashing weights is slow
        if alike not in chosen:
            of_op = of_ops.get(node.op.name, ())
            fitting = sorted({*of_op, *(patterns[i] for i in match.accepted[alike[0]])})
            wanted = {i: _weights(node, rules[i].weight) for i in fitting}
            meant.update(fitting)
            placed.update(i for i in fitting if wanted[i])
            chosen[alike] = {position: i for i in fitting for position in wanted[i]}
        found.update({(node.path, position): rules[i].initializer for position, i in chosen[alike].items()})
    for i, rule in enumerate(rules):
        if i not in meant and not OPS.get(rule.layers):
            raise unmatched(rule.layers, [node.path for node in layers], where("init", rule.layers))
        if i in meant and i not in placed:
            of_rule = [node for node in layers if _means(rule.layers, node)]
            names = dict.fromkeys(weight.name for node in of_rule for weight in node.facts.weights)
            raise fail(
                "unmatched-weight",
                f"the layers that match `{rule.layers}` have no weight `{rule.weight or 'kernel'}`",
                where("init", rule.layers),
                help=f"their weights are: {listed(names)}",
            )
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

    Raises ArchspecError: `unmatched-pattern`; `nothing-to-train` if no trainable layer is left.
    """
    found = set(_last(graph, tuple(patterns), lambda pattern: where("freeze")))
    if found and not any(node.facts.trainable_params for node in graph.layers if node.path not in found):
        raise fail(
            "nothing-to-train",
            f"every layer of `{graph.name}` is frozen, so nothing is left to train",
            where("freeze"),
            help="do not freeze the classifier",
        )
    return found


def multipliers(graph: Graph, factors: Mapping[str, float], where: Where = lambda *path: None) -> dict[str, float]:
    """Path -> factor of the learning rate of each layer that matches a pattern; the last pattern wins.

    Raises ArchspecError (unmatched-pattern).
    """
    last = _last(graph, tuple(factors), lambda pattern: where("rate_multipliers", pattern))
    return {path: factors[pattern] for path, pattern in last.items()}


def _last(graph: Graph, patterns: tuple[str, ...], where: Callable[[str], Span | None]) -> dict[str, str]:
    """The last pattern that matches each layer with weights. Raises ArchspecError (unmatched-pattern)."""
    if not patterns:
        return {}
    paths = [node.path for node in graph.layers if node.facts.weights]
    for pattern in patterns:
        check_pattern(pattern, where(pattern))
    match = matcher(patterns)
    ends = {path: match.end(path) for path in paths}
    used = {i for end in set(ends.values()) for i in match.accepted[end]}
    for i, pattern in enumerate(patterns):
        if i not in used:
            raise unmatched(pattern, paths, where(pattern))
    return {path: patterns[match.accepted[end][-1]] for path, end in ends.items() if match.accepted[end]}


# ---- from the layers of a trained network to those of a network that is initialized from it -------------------------

Pairs = list[tuple[str, str]]
"""(path of a layer, path of the layer whose weights it takes)."""


def vgg_a_to_deeper(source: Graph, target: Graph) -> Pairs:
    """The first four convolutions and the last three dense layers of net A (Simonyan & Zisserman 2014, section 3.1).

    A convolution starts from the one at the same position: after the same number of poolings, the first or second. The
    others keep their initial weights. Raises ArchspecError (init-map) where a layer has no counterpart.
    """
    here, there = (_places(graph) for graph in (target, source))
    pairs = []
    for place in list(there)[:4]:
        if place not in here:
            stage, index = place
            which = f"convolution {index + 1} after {stage} poolings"
            raise fail(
                "init-map",
                f"`{target.name}` has no counterpart of `{there[place]}`: no {which}",
                help="map the layers with patterns: `--init-map TARGET=SOURCE`",
            )
        pairs.append((here[place], there[place]))
    dense = [[node.path for node in graph.layers if node.op.name == "dense"] for graph in (target, source)]
    if min(map(len, dense)) < 3:
        counts = f"the network has {len(dense[0])}, the source {len(dense[1])}"
        raise fail(
            "init-map",
            f"`vgg-a-to-deeper` needs three dense layers in both networks; {counts}",
            help="map the layers with patterns: `--init-map TARGET=SOURCE`",
        )
    return pairs + list(zip(dense[0][-3:], dense[1][-3:], strict=True))


def _places(graph: Graph) -> dict[tuple[int, int], str]:
    """The convolutions of a chain by (poolings before it, convolutions since the last of them)."""
    found: dict[tuple[int, int], str] = {}
    stage = index = 0
    for node in graph.layers:
        if node.op.name in ("maxpool", "avgpool"):
            stage, index = stage + 1, 0
        elif node.op.name == "conv":
            found[stage, index] = node.path
            index += 1
    return found


INIT_MAPS: Mapping[str, Callable[[Graph, Graph], Pairs]] = {"vgg-a-to-deeper": vgg_a_to_deeper}
"""Every map under its name; it needs the graphs of both networks."""
