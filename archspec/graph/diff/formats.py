"""The difference of two networks as text, JSON or Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from archspec.format import Table, byte_size, count, rule
from archspec.graph.analysis.summary import axes
from archspec.graph.diff.diff import Change, Difference, Totals, totals
from archspec.graph.diff.rows import rows
from archspec.graph.ir import Node
from archspec.ops.base import show

HEADINGS = ("", "layer", "operator", "output shape", "params")


def as_text(difference: Difference, context: int = 1) -> str:
    """Changed layers in a table, `context` equal ones around them; then the totals."""
    left, right = difference.left, difference.right
    head = [f"- {left.name}: {show(left.input_shape)} -> {show(left.output_shape)}"]
    head.append(f"+ {right.name}: {show(right.input_shape)} -> {show(right.output_shape)}")
    table = _layers(difference, context).lines()
    line = rule([*head, *table])
    if len(table) == 1:
        table = ["  every layer is the same"]
    return "\n".join([*head, line, *table, line, *_totals(difference).lines()])


def as_markdown(difference: Difference, context: int = 1) -> str:
    """The same two tables for a README."""
    title = f"**{difference.left.name} → {difference.right.name}**"
    return "\n".join([title, "", *_layers(difference, context).markdown(), "", *_totals(difference).markdown()])


def _layers(difference: Difference, context: int) -> Table:
    return Table(HEADINGS, rows(difference, context), right=("params",))


def as_json(difference: Difference, context: int = 1) -> str:
    """For programs: the totals, and every layer that is not the same."""
    graphs = (difference.left, difference.right)
    return json.dumps(
        {
            **{
                side: {"name": graph.name, "input_shape": graph.input_shape, **asdict(totals(graph))}
                for side, graph in zip(("left", "right"), graphs, strict=True)
            },
            "equal_layers": sum(change.sign == "=" for change in difference.changes),
            "changes": [_json(change) for change in difference.changes if change.sign != "="],
        }
    )


def _json(change: Change) -> dict[str, Any]:
    kinds = {"-": "removed", "+": "added", "~": "changed"}
    return {
        "change": kinds[change.sign],
        "left": _layer(change.left),
        "right": _layer(change.right),
        "arguments": {name: list(values) for name, values in change.arguments.items()},
        "inputs": change.reads,
    }


def _layer(node: Node | None) -> dict[str, Any] | None:
    return node and {
        "name": node.path,
        "op": node.op.name,
        "arguments": dict(vars(node.op)),
        "output_shape": node.shape,
        "params": node.facts.params,
        "macs": node.facts.macs,
        "line": node.span.line,
    }


FORMATS: dict[str, Callable[[Difference, int], str]] = {"text": as_text, "json": as_json, "markdown": as_markdown}


# ---- totals ----


def _totals(difference: Difference) -> Table:
    one, other = totals(difference.left), totals(difference.right)
    table = []
    for title, shown, value in _FIGURES:
        a, b = value(one), value(other)
        change = f"{_signed(b - a, shown)}{_share(a, b)}" if a is not None and b is not None else ""
        table.append((title, shown(a), shown(b), change if a != b else "="))
    fields = ("receptive field", one.receptive_field, other.receptive_field)
    for title, here, there in (fields, ("effective stride", one.stride, other.stride)):
        table.append((title, _pixels(here), _pixels(there), "=" if here == there else ""))
    headings = ("", difference.left.name, difference.right.name, "difference")
    return Table(headings, table, right=headings[1:])


def _pixels(sizes: tuple[float, ...] | None) -> str:
    return "everything" if sizes is None else axes(sizes)


def _exact(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"


_FIGURES: tuple[tuple[str, Callable[[int | None], str], Callable[[Totals], int | None]], ...] = (
    ("layers", _exact, lambda each: each.layers),
    ("params", _exact, lambda each: each.params),
    ("trainable", _exact, lambda each: each.trainable_params),
    ("MACs", count, lambda each: each.macs),
    ("memory of outputs", byte_size, lambda each: each.activation_bytes),
)


def _signed(change: int, shown: Callable[[int | None], str]) -> str:
    return f"{'-' if change < 0 else '+'}{shown(abs(change))}"


def _share(one: int, other: int) -> str:
    if not one or one == other:
        return ""
    share = (other - one) / one * 100
    return f" ({share:+.1f} %)" if abs(share) < 1000 else f" (x {other / one:.1f})"
