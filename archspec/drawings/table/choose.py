"""Which kind of table fits networks, as their papers print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archspec.drawings.components import TableColumn
from archspec.drawings.table.configurations import configurations
from archspec.drawings.table.layer_list import layer_list
from archspec.drawings.table.model import Cell, PaperTable
from archspec.drawings.table.modules import modules
from archspec.drawings.table.stages import stages
from archspec.graph.analysis.weight_layers import depth
from archspec.graph.ir import Graph


def paper_table(title: str, columns: Sequence[TableColumn], default: int = 0) -> PaperTable:
    """The table of networks. `default` is the column of a table that has one network only.

    - Chains with depthwise convolutions: a list of layers, as of MobileNet, of one network.
    - Other chains: configurations, as of VGG.
    - Inception modules: one row for each, as of GoogLeNet, of one network.
    - All others: stages, as of ResNet and DenseNet.
    """
    one = columns[default]
    single = title if len(columns) == 1 else f"{title}:{one.heading}"
    if all(is_chain(column.graph) for column in columns):
        if any(node.op.name == "depthwise_conv" for node in one.graph.layers):
            return layer_list(single, one)
        return configurations(title, columns)
    return modules(single, one) or _without_twins(stages(title, [_counted(column) for column in columns]))


def is_chain(graph: Graph) -> bool:
    """Whether every layer reads one layer, except in auxiliary classifiers."""
    return all(len(node.inputs) == 1 for node in graph.layers)


def _counted(column: TableColumn) -> TableColumn:
    """The heading `50-layer` for a variant that is named after its depth."""
    heading = column.heading
    counted = heading.isdecimal() and abs(int(heading) - depth(column.graph)) <= 1  # DenseNet-264 has 265
    return replace(column, heading=f"{heading}-layer") if counted else column


FIXED = 2
"""Columns of a table of stages before those of the networks."""


def _without_twins(table: PaperTable) -> PaperTable:
    """The table without networks whose stages equal those of an earlier one, which a note names."""
    grid = table.grid()
    last = len(grid) - 1
    content: dict[tuple[str, ...], int] = {}
    twins: dict[int, int] = {}
    for x in range(FIXED, table.width):
        key = tuple(grid[y][x] for y in range(1, last))
        if key in content:
            twins[x] = content[key]
        content.setdefault(key, x)
    if not twins:
        return table
    rows: list[tuple[Cell, ...]] = []
    for y in range(len(table.rows)):
        kept = []
        for row, x, cell in table.placed():
            if row != y:
                continue
            columns = cell.columns - sum(x <= twin < x + cell.columns for twin in twins)
            if columns:
                kept.append(replace(cell, columns=columns))
        rows.append(tuple(kept))
    same = ", ".join(f"{grid[0][x]} as {grid[0][first]}" for x, first in twins.items())
    return replace(table, rows=tuple(rows), notes=(*table.notes, f"The same stages: {same}."))
