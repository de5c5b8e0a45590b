"""The summary of a network: one row per layer (or folded block), as text, JSON, Markdown or CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, NamedTuple

from archspec.arguments import public
from archspec.diagnostics import counted
from archspec.format import Table, byte_size, count, csv_text, rule
from archspec.graph.analysis.receptive_field import ReceptiveField, receptive_fields
from archspec.graph.ir import Graph, Node, total
from archspec.ops.base import Shape, show
from archspec.wording import worded


class SummaryRow(NamedTuple):
    """A layer, or the layers that share a prefix of their paths. Memory is that of the outputs, in bytes."""

    name: str
    op: str
    inputs: tuple[str, ...]
    output_shape: Shape
    params: int
    trainable_params: int
    macs: int | None
    activation_bytes: int | None
    receptive_field: ReceptiveField | None
    line: int
    shared: str | None = None
    """The layer whose weights a layer uses."""


@dataclass(frozen=True)
class Summary:
    """Every layer of a network with its shape, parameters, MACs, memory and receptive field, and the totals."""

    graph: Graph
    """The network."""
    depth: int | None
    """Layers whose paths share their first `depth` components are one row; None for one row per layer."""

    def __repr__(self) -> str:
        return f"<Summary of {self.graph!r}>"

    def __str__(self) -> str:
        return self.render()

    @property
    def rows(self) -> list[SummaryRow]:
        """The rows in topological order."""
        return rows(self.graph, self.depth)

    @public()
    def render(self, format: Literal["text", "json", "markdown", "csv"] = "text") -> str:
        """The summary as text, JSON, Markdown or CSV."""
        return FORMATS[format](self.graph, self.depth)


def rows(graph: Graph, depth: int | None = None) -> list[SummaryRow]:
    """The rows of a graph in topological order; `depth` folds paths to their first components."""
    fields = receptive_fields(graph)
    indices = range(graph.input_count, len(graph.nodes))
    paths = [node.path for node in graph.nodes]
    if depth is None:
        return [_of_layer(graph.nodes[i], paths, i, fields[i]) for i in indices]
    folded = ["/".join(path.split("/")[:depth]) for path in paths]
    groups = [list(group) for _, group in groupby(indices, key=lambda i: folded[i])]
    return [
        _of_layers(graph, folded, group, fields[group[-1]])
        if len(group) > 1
        else _of_layer(graph.nodes[group[0]], folded, group[0], fields[group[0]])
        for group in groups
    ]


def _of_layer(node: Node, names: Sequence[str], index: int, field: ReceptiveField | None) -> SummaryRow:
    facts, op = node.facts, f"{node.op.name} (shared)" if node.shared else node.op.name
    inputs = tuple(dict.fromkeys([names[i] for i in node.inputs]))
    costs = (facts.params, facts.trainable_params, facts.macs, node.activation_bytes)
    return SummaryRow(names[index], op, inputs, facts.shape, *costs, field, node.span.line, node.shared)


def _of_layers(graph: Graph, names: Sequence[str], group: list[int], field: ReceptiveField | None) -> SummaryRow:
    nodes = [graph.nodes[i] for i in group]
    return SummaryRow(
        names[group[0]],
        f"{len(nodes)} layers",
        tuple(dict.fromkeys([names[i] for node in nodes for i in node.inputs if i < group[0]])),
        nodes[-1].shape,
        sum([node.facts.params for node in nodes]),
        sum([node.facts.trainable_params for node in nodes]),
        total([node.facts.macs for node in nodes]),
        total([node.activation_bytes for node in nodes]),
        field,
        nodes[0].span.line,
    )


def as_json(graph: Graph, depth: int | None = None) -> str:
    """JSON for programs; free sizes are null, receptive fields are lists by spatial axis."""
    import json

    return json.dumps(
        {
            "name": graph.name,
            "input_shape": graph.input_shape,
            "output_shape": graph.output_shape,
            "inputs": {node.path: node.shape for node in graph.inputs},
            "outputs": graph.named_outputs,
            "params": graph.params,
            "trainable_params": graph.trainable_params,
            "non_trainable_params": graph.non_trainable_params,
            "macs": graph.macs,
            "activation_bytes": graph.activation_bytes,
            "layers": [_layer(row) for row in rows(graph, depth)],
        }
    )


def _layer(row: SummaryRow) -> dict[str, Any]:
    field = row.receptive_field
    return {
        "name": row.name,
        "op": row.op,
        "inputs": row.inputs,
        "output_shape": row.output_shape,
        "params": row.params,
        "trainable_params": row.trainable_params,
        "macs": row.macs,
        "activation_bytes": row.activation_bytes,
        "receptive_field": field.size if field else None,
        "effective_stride": field.stride if field else None,
        "receptive_field_offset": field.offset if field else None,
        "line": row.line,
        "shared": row.shared,
    }


HEADINGS = (
    "layer",
    "operator",
    "inputs",
    "output shape",
    "params",
    "trainable",
    "MACs",
    "memory",
    "receptive field",
    "stride",
    "offset",
    "line",
)
OPTIONAL = ("line", "offset", "stride", "trainable", "memory", "receptive field", "inputs", "MACs")
RIGHT = {"params", "trainable", "MACs", "memory", "receptive field", "stride", "offset", "line"}


def _cells(row: SummaryRow, above: str, human: bool) -> list[str]:
    number: Callable[[int | None], str] = count if human else lambda n: "" if n is None else str(n)
    size: Callable[[int | None], str] = byte_size if human else lambda n: "" if n is None else str(n)
    inputs = _near(row, above) if human else ", ".join(row.inputs)
    field = row.receptive_field
    pixels = [axes(values) for values in field] if field else ["?"] * 3
    return [
        row.name,
        row.op,
        inputs,
        show(row.output_shape),
        number(row.params) if row.params or not human else "",
        number(row.trainable_params) if row.params or not human else "",
        number(row.macs) if row.macs or not human else "",
        size(row.activation_bytes),
        *pixels,
        str(row.line),
    ]


def _near(row: SummaryRow, above: str) -> str:
    """The inputs, shortened: empty for the layer above alone, ↑ for it among others, ./ for the row's own block."""
    if row.inputs == (above,):
        return ""
    if len(row.inputs) > 3:
        return counted(len(row.inputs), "layer")
    here = row.name.rpartition("/")[0] + "/"
    return ", ".join(
        "↑" if name == above else f"./{name.removeprefix(here)}" if len(here) > 1 and name.startswith(here) else name
        for name in row.inputs
    )


def _table(graph: Graph, depth: int | None) -> Table:
    return Table(HEADINGS, _rows(graph, depth, human=True), RIGHT, OPTIONAL)


def _rows(graph: Graph, depth: int | None, human: bool) -> list[list[str]]:
    above, table = "input", []
    for row in rows(graph, depth):
        table.append(_cells(row, above, human))
        above = row.name
    return table


def as_text(graph: Graph, depth: int | None = None) -> str:
    """A table for the terminal."""
    table = _table(graph, depth)
    headings, *lines = table.lines()
    line = rule([headings, *lines])
    head = f"{graph.name}: {graph.signature}"
    left_out, inputs, notes = table.left_out(), HEADINGS.index("inputs"), []
    if "inputs" not in left_out and any(row[inputs] for row in table.rows):
        notes.append("inputs  empty and ↑: the layer above; ./: in the block of the layer")
    if left_out:
        notes.append(f"not shown in this width: {', '.join(left_out)}; {worded('`--format csv`')} has all columns")
    return "\n".join([head, line, headings, line, *lines, line, *notes, *totals(graph)])


def totals(graph: Graph) -> list[str]:
    """The last lines of a summary."""
    fixed = f", {graph.trainable_params:,} trainable" if graph.non_trainable_params else ""
    macs = "unknown (a size is free)" if graph.macs is None else f"{graph.macs:,}"
    if graph.macs and count(graph.macs) != str(graph.macs):
        macs += f" ({count(graph.macs)})"
    return [
        f"params  {graph.params:,} ({byte_size(graph.params * 4)} in float32{fixed})",
        f"MACs    {macs}, of convolutions, dense layers and matrix products, for one sample; FLOPs = 2 x MACs",
        f"memory  {byte_size(graph.activation_bytes)} for the outputs of all layers, for one sample in float32",
    ]


def as_markdown(graph: Graph, depth: int | None = None) -> str:
    """A table for a README."""
    table = _table(graph, depth).markdown()
    return "\n".join([f"**{graph.name}**", "", *table, "", *(f"- {line}" for line in totals(graph))])


def as_csv(graph: Graph, depth: int | None = None) -> str:
    """Plain numbers under the headings of the table, memory in bytes."""
    return csv_text(HEADINGS, _rows(graph, depth, human=False))


FORMATS: dict[str, Callable[[Graph, int | None], str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
    "csv": as_csv,
}


@lru_cache(maxsize=1024)  # most layers see what the layer before them sees
def axes(values: tuple[Any, ...]) -> str:
    """`7` if all axes are equal, else `7×5`."""
    if not values:
        return "-"
    shown = [f"{value:g}" for value in values]
    return shown[0] if len(set(shown)) == 1 else "×".join(shown)
