"""The layers of a graph that a recipe freezes, and those whose learning rate it multiplies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from archspec.diagnostics import Span, fail
from archspec.graph.ir import Graph
from archspec.graph.select.initializer_targets import initializers
from archspec.graph.select.path_patterns import matches, unmatched
from archspec.lang.recipes.recipe import Recipe

Where = Callable[..., Span | None]
"""From the keys of a path within `train:` to its place in a spec."""


def check_recipe(graph: Graph, recipe: Recipe, where: Where) -> None:
    """Raises ArchspecError: those of `initializers` and `frozen`."""
    initializers(graph, recipe.init, lambda layers: where("init", layers))
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
