"""`expect`: what the paper prints, checked against the static graph.

A figure such as `138M` or `3.8G` must be met to one unit of its last printed digit, a plain integer exactly;
`{value: 3.8G, tolerance: 2%, reason: ...}` widens that, with a reason.
"""

from __future__ import annotations

import re
from typing import Any

from archspec.diagnostics import Diagnostic, Span
from archspec.graph.ir import Graph
from archspec.graph.receptive_field import receptive_fields
from archspec.lang import source
from archspec.lang.spec import Spec

UNITS = {"": 1, "K": 10**3, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_FIGURE = re.compile(r"(\d+)(?:\.(\d+))?([KkMGBT]?)\Z")


def expectations(spec: Spec, variant: str | None, graph: Graph) -> list[Diagnostic]:
    """What the graph of this variant, at the page's own params, does not meet."""
    expect = spec.document.get("expect")
    wrong = []
    for quantity, node in expect if isinstance(expect, source.Mapping) else ():
        figure = node
        if isinstance(node, source.Mapping) and "value" not in node.entries:
            chosen = node.get(variant) if variant else None
            if chosen is None:
                continue
            figure = chosen
        wrong += _check(quantity, figure, graph)
    return wrong


def _check(quantity: str, node: source.Node, graph: Graph) -> list[Diagnostic]:
    value = source.plain(node)
    tolerance: Any = None
    if isinstance(node, source.Mapping):
        if "value" not in value or ("tolerance" in value and "reason" not in value):
            missing = "value" if "value" not in value else "reason"
            remedy = "write {value: 3.8G, tolerance: 2%, reason: why the paper differs}"
            return [Diagnostic("missing-key", f"this figure has no `{missing}`", node.span, help=remedy)]
        value, tolerance = value["value"], value.get("tolerance")
    actual = _actual(quantity, graph)
    if isinstance(actual, tuple):
        given = tuple(value) if isinstance(value, list) else (value,)
        met = given == actual
    else:
        bounds = _bounds(value, tolerance)
        if bounds is None:
            return [
                Diagnostic("wrong-value", f"`{value}` is not a figure", node.span, help="write 138M, 3.8G or 60965224")
            ]
        met = actual is not None and bounds[0] <= actual <= bounds[1]
    if met:
        return []
    return [_unmet(quantity, value, actual, tolerance, graph, node.span)]


def _unmet(quantity: str, value: Any, actual: Any, tolerance: Any, graph: Graph, span: Span) -> Diagnostic:
    shown = f"{actual:,}" if isinstance(actual, int) else str(actual)
    within = f" within {tolerance}" if tolerance is not None else ""
    return Diagnostic(
        "expect",
        f"`{graph.name}` has {quantity} {shown}, and {value}{within} is expected",
        span,
        help="mend the layers; where the paper itself is off, state `{value: ..., tolerance: ..., reason: ...}`",
    )


def _actual(quantity: str, graph: Graph) -> Any:
    if quantity == "output_shape":
        return graph.output_shape
    if quantity == "receptive_field":  # of the last layer before everything is seen by every unit
        fields = [field for field in receptive_fields(graph) if field and any(field.stride)]
        return fields[-1].size if fields else ()
    return getattr(graph, quantity)


def _bounds(value: Any, tolerance: Any) -> tuple[float, float] | None:
    """The lowest and highest value that meet a printed figure; None if it is not a figure."""
    match = _FIGURE.match(str(value))
    if not match:
        return None
    whole, decimals, unit = match[1], match[2] or "", match[3]
    number = int(whole + decimals) * UNITS[unit] / 10 ** len(decimals)
    if tolerance is None:
        slack = UNITS[unit] / 10 ** len(decimals) if unit or decimals else 0
    elif isinstance(tolerance, str) and tolerance.endswith("%"):
        try:
            slack = number * float(tolerance[:-1]) / 100
        except ValueError:
            return None
    elif isinstance(tolerance, (int, float)):
        slack = tolerance
    else:
        return None
    return number - slack, number + slack
