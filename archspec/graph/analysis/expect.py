"""`expect`: figures from the paper, compared with the static graph.

A figure such as `138M` or `3.8G` must be met to one unit of its last printed digit, a plain integer exactly;
`{value: 3.8G, tolerance: 2%, reason: ...}` widens that, with a reason.
"""

from __future__ import annotations

import re
from typing import Any

from archspec.diagnostics import Diagnostic, Span
from archspec.graph.analysis.receptive_field import last_moving
from archspec.graph.ir import Graph
from archspec.lang.document.nodes import MappingNode, Node, plain
from archspec.lang.spec.spec import Spec
from archspec.ops.base import show

UNITS = {"": 1, "K": 10**3, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_FIGURE = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?([KkMGBT]?)\Z")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%\Z")


def expectations(spec: Spec, variant: str | None, graph: Graph) -> list[Diagnostic]:
    """The figures that the graph of a variant, with the parameters of the spec, does not meet."""
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
    stated = _figure(value)
    if stated is None:
        digits = re.sub(r"[_, ']", "", str(value))
        help = f"write `{digits}`" if digits.isdecimal() else "write a number such as 138M, 3.8G or 60965224"
        return [Diagnostic("wrong-value", f"`{value}` is not a number", figure.span, help=help)]
    number, slack = stated[0], stated[1] if tolerance is None else _tolerance(plain(tolerance), stated[0])
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
        field = last_moving(graph)
        return field.size if field else ()
    return getattr(graph, quantity)


def _figure(value: Any) -> tuple[float, float] | None:
    """The number that a printed figure states, and one unit of its last digit, 0 for a plain integer; None if neither.

    1.7M is (1.7 million, 0.1 million).
    """
    match = _FIGURE.match(str(value))
    if match is None:
        return None
    whole, fraction, letter = match.groups(default="")
    unit = UNITS[letter] / 10 ** len(fraction)
    return int(whole + fraction) * unit, unit if fraction or letter else 0


def _tolerance(tolerance: Any, number: float) -> float | None:
    """How far off the figure may be; None for an invalid tolerance."""
    percent = _PERCENT.match(tolerance) if isinstance(tolerance, str) else None
    figure = _figure(tolerance)
    return number * float(percent[1]) / 100 if percent else figure and figure[0]
