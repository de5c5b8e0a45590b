"""`expect`: what the paper prints, checked against the static graph.

A figure such as `138M` or `3.8G` must be met to one unit of its last printed digit, a plain integer exactly;
`{value: 3.8G, tolerance: 2%, reason: ...}` widens that, with a reason.
"""

from __future__ import annotations

import re
from typing import Any

from archspec.diagnostics import Diagnostic, Span
from archspec.graph.analysis.receptive_field import receptive_fields
from archspec.graph.ir import Graph
from archspec.lang.document.nodes import MappingNode, Node, plain
from archspec.lang.spec.spec import Spec
from archspec.ops.base import show

UNITS = {"": 1, "K": 10**3, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_FIGURE = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?([KkMGBT]?)\Z")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%\Z")


def expectations(spec: Spec, variant: str | None, graph: Graph) -> list[Diagnostic]:
    """What the graph of this variant, at the spec's own params, does not meet."""
    expect = spec.document.get("expect")
    wrong = []
    for quantity, node in expect if isinstance(expect, MappingNode) else ():
        figure: Node | None = node
        if isinstance(node, MappingNode) and "value" not in node.entries:
            figure = node.get(variant) if variant else None
        if figure is not None:
            wrong += _check(quantity, figure, graph)
    return wrong


def _check(quantity: str, node: Node, graph: Graph) -> list[Diagnostic]:
    figure, tolerance = node, None
    if isinstance(node, MappingNode):
        figure, tolerance = node.entries["value"][1], node.get("tolerance")
    value, actual = plain(figure), _actual(quantity, graph)
    if isinstance(actual, tuple):
        sizes = tuple(value) if isinstance(value, list) else (value,)
        help = (
            None
            if quantity == "output_shape"
            else "this is the receptive field of the last layer that does not see the whole input"
        )
        return [] if sizes == actual else [_unmet(quantity, show(sizes), show(actual), graph, node.span, help)]
    number = _number(value)
    if number is None:
        help = "write a number such as 138M, 3.8G or 60965224"
        return [Diagnostic("wrong-value", f"`{value}` is not a number", figure.span, help=help)]
    slack = _slack(value) if tolerance is None else _tolerance(plain(tolerance), number)
    if slack is None and tolerance is not None:
        message = f"`{plain(tolerance)}` is not a valid tolerance"
        return [
            Diagnostic(
                "wrong-value", message, tolerance.span, help="write a percentage or a number, such as 2% or 0.1M"
            )
        ]
    if actual is not None and abs(actual - number) <= (slack or 0):
        return []
    within = f" within {plain(tolerance)}" if tolerance is not None else ""
    shown = "unknown because a size is free" if actual is None else f"{actual:,}"
    help = (
        "correct the layers; if the figure in the paper is not exact, write `{value: ..., tolerance: ..., reason: ...}`"
    )
    return [_unmet(quantity, f"{value}{within}", shown, graph, node.span, help)]


def _unmet(quantity: str, expected: str, actual: str, graph: Graph, span: Span, help: str | None) -> Diagnostic:
    message = f"`{quantity}` of `{graph.name}` is {actual}, but `expect` says {expected}"
    return Diagnostic("expect", message, span, help=help)


def _actual(quantity: str, graph: Graph) -> Any:
    if quantity == "output_shape":
        return graph.output_shape
    if quantity == "receptive_field":  # of the last layer before everything is seen by every unit
        fields = [field for field in receptive_fields(graph) if field and any(field.stride)]
        return fields[-1].size if fields else ()
    return getattr(graph, quantity)


def _number(value: Any) -> float | None:
    """What a printed figure says; None if it is none."""
    match = _FIGURE.match(str(value))
    return None if match is None else int(match[1] + (match[2] or "")) * _unit(value)


def _slack(value: Any) -> float:
    """One unit of the last printed digit; nothing for a plain integer."""
    match = _FIGURE.match(str(value))
    return _unit(value) if match and (match[2] or match[3]) else 0


def _unit(value: Any) -> float:
    """What the last printed digit counts: 0.1 million for 1.7M."""
    match = _FIGURE.match(str(value))
    return UNITS[match[3]] / 10 ** len(match[2] or "") if match else 0


def _tolerance(tolerance: Any, number: float) -> float | None:
    """How far off the figure may be; None if the tolerance is none."""
    percent = _PERCENT.match(tolerance) if isinstance(tolerance, str) else None
    if percent:
        return number * float(percent[1]) / 100
    return _number(tolerance)
