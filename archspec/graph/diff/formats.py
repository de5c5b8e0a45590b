"""The difference of two networks as text, JSON or Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from archspec.diagnostics import counted
from archspec.format import Table, byte_size, count, rule
from archspec.graph.analysis.summary import axes
from archspec.graph.diff.diff import Change, Difference, Totals, totals
from archspec.graph.ir import Node
from archspec.lang.declarations import declared_text, default_text
from archspec.ops.base import show

HEADINGS = ("", "layer", "operator", "output shape", "params")


def as_text(difference: Difference, context: int = 1) -> str:
    """Changed layers in a table, `context` equal ones around them; then the totals."""
    left, right = difference.left, difference.right
    head = [f"- {left.name}: {left.signature}"]
    head.append(f"+ {right.name}: {right.signature}")
    table = _layers(difference, context).lines()
    line = rule([*head, *table])
    if len(table) == 1:
        table = ["  all layers are equal"]
    verdict = ["The networks are identical."] if difference.identical else []
    return "\n".join([*head, line, *table, line, *_totals(difference).lines(), *verdict])


def as_markdown(difference: Difference, context: int = 1) -> str:
    """The same two tables for a README."""
    title = f"**{difference.left.name} → {difference.right.name}**"
    if difference.identical:
        return f"{title}\n\nThe networks are identical."
    return "\n".join([title, "", *_layers(difference, context).markdown(), "", *_totals(difference).markdown()])


def _layers(difference: Difference, context: int) -> Table:
    return Table(HEADINGS, rows(difference, context), right=("params",), optional=("params", "output shape"))


def as_json(difference: Difference, context: int = 1) -> str:
    """For programs: the totals, and every layer that differs."""
    graphs = (difference.left, difference.right)
    return json.dumps(
        {
            **{
                side: {"name": graph.name, "input_shape": graph.input_shape, **asdict(totals(graph))}
                for side, graph in zip(("left", "right"), graphs, strict=True)
            },
            "identical": difference.identical,
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


Row = tuple[str, str, str, str, str]
"""Sign, layer, operator with its arguments, output shape, parameters."""

MANY = 4
"""The number of layers with the same change that are merged into one row."""


def rows(difference: Difference, context: int = 1) -> list[Row]:
    """First the changes that many layers share, then a row for each other change.

    Copies that were added or removed together are one row, and so are equal layers far from changes."""
    everywhere = _everywhere(difference.changes)
    found = [_many(changes) for changes in everywhere.values()]
    signs = ["=" if _kind(change) in everywhere else change.sign for change in difference.changes]
    near = _near(signs, context)
    sides = (("-", difference.left), ("+", difference.right))
    sizes = {sign: Counter(_copy(node) for node in graph.layers) for sign, graph in sides}
    numbered = list(enumerate(difference.changes))
    for (sign, shown), group in groupby(numbered, key=lambda item: (signs[item[0]], near[item[0]])):
        run = [change for _, change in group]
        if sign in "+-":
            found += _folded(sign, [node for change in run if (node := change.right or change.left)], sizes[sign])
        elif shown:
            found += [_row(change, sign) for change in run]
        else:
            paths = [change.right.path for change in run if change.right]
            span = paths[0] if len(run) == 1 else f"{paths[0]} … {paths[-1]}"
            found.append(("=", span, f"{len(run)} equal layers" if len(run) > 1 else "equal", "", ""))
    return found


def _kind(change: Change) -> Any:
    """The operator and its changed arguments, if nothing else changed; None for any other change."""
    one, other = change.left, change.right
    if one is None or other is None or not change.arguments or change.reads is not None:
        return None
    same = one.shape == other.shape and one.facts.weights == other.facts.weights
    return (other.op.name, *change.arguments.items()) if same else None


def _everywhere(changes: Sequence[Change]) -> dict[Any, list[Change]]:
    """The changes of arguments that at least MANY layers share."""
    kinds: dict[Any, list[Change]] = {}
    for change in changes:
        if (kind := _kind(change)) is not None:
            kinds.setdefault(kind, []).append(change)
    return {kind: alike for kind, alike in kinds.items() if len(alike) >= MANY}


def _many(changes: Sequence[Change]) -> Row:
    _, what, operator, _, _ = _row(changes[0], "~")
    return ("~", f"{counted(len(changes), 'layer')}, the first is {what}", operator, "", "")


def _near(signs: Sequence[str], context: int) -> list[bool]:
    """Which layers are changed, or at most `context` layers away from a change."""
    near = [sign != "=" for sign in signs]
    for index in [index for index, sign in enumerate(signs) if sign != "="]:
        for other in range(max(0, index - context), min(len(signs), index + context + 1)):
            near[other] = True
    return near


def _row(change: Change, sign: str) -> Row:
    one, other = change.left, change.right
    assert one is not None
    assert other is not None
    if sign == "=":
        return (" ", other.path, declared_text(other.op), show(other.shape), _params(other))
    what = [f"{name} {_both(default_text(a), default_text(b))}" for name, (a, b) in change.arguments.items()]
    if change.reads is not None:
        what.append(f"reads {_both(*(', '.join(paths) for paths in change.reads))}")
    return (
        "~",
        _both(one.path, other.path),
        f"{other.op.name}: {'; '.join(what)}" if what else declared_text(other.op),
        _both(show(one.shape), show(other.shape)),
        _both(_params(one), _params(other)),
    )


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} → {other}"


def _params(node: Node) -> str:
    return f"{node.facts.params:,}" if node.facts.params else ""


def _copy(node: Node) -> str:
    """The path up to the number of the copy that a layer is in, or its own."""
    words = node.path.split("/")
    numbers = [index for index, word in enumerate(words) if word.isdecimal()]
    return "/".join(words[: numbers[0] + 1]) if numbers else node.path


def _folded(sign: str, nodes: Sequence[Node], sizes: Mapping[str, int]) -> list[Row]:
    """A row for each layer, or for each stretch of whole copies that are alike; `sizes` are those of whole copies."""
    copies = [(path, list(group)) for path, group in groupby(nodes, key=_copy)]
    found: list[Row] = []
    for _, stretch in groupby(copies, key=lambda copy: _alike(*copy)):
        alike = list(stretch)
        layers = [node for _, group in alike for node in group]
        each = len(alike[0][1])
        if each < 2 or any(len(group) < sizes[path] for path, group in alike):
            found += [(sign, node.path, declared_text(node.op), show(node.shape), _params(node)) for node in layers]
            continue
        first, last = alike[0][0], alike[-1][0]
        what = (
            f"{counted(len(alike), 'copy')} of {counted(each, 'layer')}" if len(alike) > 1 else counted(each, "layer")
        )
        total = sum(node.facts.params for node in layers)
        found.append(
            (sign, first if first == last else f"{first} … {last}", what, show(layers[-1].shape), f"{total:,}")
        )
    return found


def _alike(path: str, group: Sequence[Node]) -> tuple[Any, ...]:
    """A key that is equal for copies of one block: the path before the number, the operators and the shapes."""
    return (path.rpartition("/")[0] or path, *((node.op, node.shape) for node in group))
