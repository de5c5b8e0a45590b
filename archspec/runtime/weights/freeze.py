"""Layers that keep their weights while others learn, and layers that learn more slowly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archspec.graph.ir import Graph
from archspec.graph.select.recipe_targets import frozen, multipliers


def freeze(model: Any, graph: Graph, patterns: Iterable[str]) -> int:
    """Take the layers whose paths the patterns fit out of training, before its step is made. Returns how many.

    Batch normalization that is frozen normalizes by its moving statistics and leaves them as they are, in training
    too: that is what Keras makes of `trainable = False`. Raises ArchspecError: those of `frozen`.
    """
    paths = frozen(graph, patterns)
    for name in (name for path in paths for name in graph[path].weighted_layers):
        model.get_layer(name).trainable = False
    return len(paths)


def rate_factors(model: Any, graph: Graph, factors: Mapping[str, float] | None) -> list[float]:
    """The factor of the learning rate of each of `model.trainable_variables`. Raises ArchspecError."""
    of = {
        id(variable): factor
        for path, factor in multipliers(graph, factors or {}).items()
        for name in graph[path].weighted_layers
        for variable in model.get_layer(name).trainable_variables
    }
    return [of.get(id(variable), 1.0) for variable in model.trainable_variables]


class RateFactors:
    """Updates of single weights, multiplied: with w' = w + d the weight becomes w + factor d.

    That is another learning rate for those weights, for every optimizer whose step is proportional to its rate, as all
    of Keras's are; momentum and decoupled decay are included.
    """

    def __init__(self, strategy: Any, variables: Sequence[Any], factors: Sequence[float]) -> None:
        pairs = zip(variables, factors, strict=True)
        self.strategy = strategy
        self.changed = [(variable, factor) for variable, factor in pairs if factor != 1]

    def before(self) -> list[Any]:
        """The weights before an update."""
        import tensorflow as tf

        if not self.changed:
            return []
        copies = self.strategy.run(lambda: [tf.identity(variable.value) for variable, _ in self.changed])
        return list(copies)

    def after(self, before: Sequence[Any]) -> None:
        """Multiply the update that was made since `before`."""
        for (variable, factor), old in zip(self.changed, before, strict=True):
            self.strategy.extended.update(
                variable.value, lambda mine, its, by=factor: mine.assign(its + by * (mine - its)), args=(old,)
            )
