"""Layers that get weights of a Keras model in which they compute something else: another epsilon or stride."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from archspec.diagnostics import listed
from archspec.runtime.models.keras_graph import KerasGraph
from archspec.runtime.weights.matching import Slot, Unit

SETTINGS = ("epsilon", "strides", "dilation_rate")
"""Attributes of Keras layers that the weights do not show."""
CLOSE = 0.01  # relative difference of two epsilons that counts as none


def different_settings(pairs: Iterable[tuple[Slot, Unit]], here: KerasGraph, there: KerasGraph) -> tuple[str, ...]:
    """A phrase for each difference: "`epsilon` of `bn1`, `bn2` is 0.001 there, 1e-05 here"."""
    own, others = ({call.path: call.operation for call in graph.calls} for graph in (here, there))
    found: dict[tuple[str, str, str], list[str]] = {}
    for slot, unit in pairs:
        layer, other = own.get(slot.name), others.get(unit.name)
        if type(layer) is type(other):
            for name in SETTINGS:
                one, two = getattr(layer, name, None), getattr(other, name, None)
                if one is not None and two is not None and not _equal(one, two):
                    found.setdefault((name, _text(two), _text(one)), []).append(f"`{slot.name}`")
    return tuple(
        f"`{name}` of {listed(layers, 3)} is {two} there, {one} here" for (name, two, one), layers in found.items()
    )


def _equal(one: Any, two: Any) -> bool:
    return math.isclose(one, two, rel_tol=CLOSE) if isinstance(one, float) and isinstance(two, float) else one == two


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
