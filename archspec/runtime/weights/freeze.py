"""Freezes layers, and multiplies the learning rate of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archspec.graph.ir import Graph
from archspec.graph.select import frozen, multipliers


def freeze(model: Any, graph: Graph, patterns: Iterable[str]) -> int:
    """Freeze the layers whose paths match the patterns, before the train step is made. Returns their number.

    Frozen batch normalization uses its moving statistics and does not update them, in training too, as in Keras with
    `trainable = False`. Raises ArchspecError: those of `frozen`.
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
    """Multiplies the updates of single weights: an update w + d becomes w + factor * d.

    This equals another learning rate for those weights, for every optimizer whose update is proportional to its
    learning rate, as for all of Keras; momentum and decoupled weight decay are included.
    """

    def __init__(self, strategy: Any, variables: Sequence[Any], factors: Sequence[float]) -> None:
        pairs = zip(variables, factors, strict=True)
        self.strategy = strategy
        self.changed = [(variable, factor) for variable, factor in pairs if factor != 1]

    def before(self) -> list[Any]:
        """Copies of the weights, to be passed to `after`."""
        import tensorflow as tf

        if not self.changed:
            return []
        copies = self.strategy.run(lambda: [tf.identity(variable.value) for variable, _ in self.changed])
        return list(copies)

    def after(self, before: Sequence[Any]) -> None:
        """Multiply the update since `before`."""
        for (variable, factor), old in zip(self.changed, before, strict=True):
            self.strategy.extended.update(
                variable.value, lambda mine, its, by=factor: mine.assign(its + by * (mine - its)), args=(old,)
            )
