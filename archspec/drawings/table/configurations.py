"""Networks that are chains of layers, one column each, as in Table 1 of VGG (Simonyan & Zisserman 2014).

`conv3-64` is a convolution with a 3×3 window and 64 output channels. Layers that the column before does not have are
in bold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from archspec.drawings.components import (
    CONVOLUTIONS,
    POOLS,
    TableColumn,
    components,
    hidden,
    input_text,
    is_shown,
    stride,
)
from archspec.drawings.table.model import Cell, Line, PaperTable, Part, cell
from archspec.graph.analysis.weight_layers import depth
from archspec.graph.ir import Graph, Node

KINDS = {"conv": "conv", "depthwise_conv": "dwconv", "separable_conv": "sepconv", "conv_transpose": "upconv"}
SEPARATORS = (*POOLS, "spatial_pyramid_pool")


class Step(NamedTuple):
    """A layer in words, and whether it has a row of its own where all columns have it."""

    text: str
    alone: bool


def configurations(title: str, columns: Sequence[TableColumn]) -> PaperTable:
    """The table of configurations; the rows between two rows of pooling are one cell in each column."""
    steps = [list(_steps(column.graph)) for column in columns]
    rows: list[tuple[Cell, ...]] = [
        (cell("ConvNet Configuration", columns=len(columns), heading=True),),
        tuple(cell(column.heading, heading=True) for column in columns),
        tuple(cell(f"{depth(column.graph)} weight layers", heading=True) for column in columns),
        *_input(columns),
    ]
    common = _common([[step for step in each if step.alone] for each in steps])
    places = [0] * len(steps)
    for separator in [*common, None]:
        groups = []
        for number, each in enumerate(steps):
            stop = each.index(separator, places[number]) if separator else len(each)
            groups.append([step.text for step in each[places[number] : stop]])
            places[number] = stop + 1
        if any(groups):
            rows.append(_group(groups))
        if separator:
            rows.append((cell(separator.text, columns=len(columns)),))
    return PaperTable(title, tuple(rows), tuple(filter(None, [_notation(steps), hidden([c.graph for c in columns])])))


def _input(columns: Sequence[TableColumn]) -> Iterator[tuple[Cell, ...]]:
    inputs = [f"input ({input_text(column.graph.input_shape)})" for column in columns]
    if len(set(inputs)) == 1:
        yield (cell(inputs[0], columns=len(columns)),)
    else:
        yield tuple(map(cell, inputs))


def _common(sequences: Sequence[Sequence[Step]]) -> list[Step]:
    """A sequence of steps that every one of the sequences has in this order."""
    found = list(sequences[0])
    for other in sequences[1:]:
        blocks = SequenceMatcher(None, found, other, autojunk=False).get_matching_blocks()
        found = [step for block in blocks for step in found[block.a : block.a + block.size]]
    return found


def _group(groups: Sequence[Sequence[str]]) -> tuple[Cell, ...]:
    """One cell for each column; a layer that the column before does not have is in bold."""
    cells, before = [], groups[0]
    for group in groups:
        blocks = SequenceMatcher(None, before, group, autojunk=False).get_matching_blocks()
        same = {place for block in blocks for place in range(block.b, block.b + block.size)}
        lines = tuple(Line(text, place not in same) for place, text in enumerate(group))
        cells.append(Cell((Part(lines),) if lines else (), top=True))
        before = group
    return tuple(cells)


def _steps(graph: Graph) -> Iterator[Step]:
    for component in components(graph):
        for node in component.nodes:
            if is_shown(node):
                yield Step(step_text(node), _has_row(node))


def _has_row(node: Node) -> bool:
    """Pooling and what follows the feature maps."""
    return node.op.name in SEPARATORS or len(node.shape) == 1


def step_text(node: Node) -> str:
    """`conv3-64`, `FC-4096`, `maxpool`; a stride of a convolution, and a window of pooling other than 2, are added."""
    op, name = node.op, node.op.name
    if name in CONVOLUTIONS:
        kind = {"conv": "conv", "depthwise_conv": "dwconv", "separable_conv": "sepconv", "conv_transpose": "upconv"}[
            name
        ]
        step = "" if stride(node) == "1" else f", stride {stride(node)}"
        groups = getattr(op, "groups", 1)
        return f"{kind}{_side(node)}-{node.shape[-1]}{step}{f', {groups} groups' if groups > 1 else ''}"
    if name == "dense":
        return f"FC-{node.shape[-1]}"
    if name in POOLS:
        plain = _side(node) == stride(node) == "2"
        return name if plain else f"{name} {_side(node)}, stride {stride(node)}"
    return {"softmax": "soft-max", "lrn": "LRN", "global_avgpool": "global average pool"}.get(name, name)


def _side(node: Node) -> str:
    """The side of a square window, or `1×7`."""
    op = node.op
    size = getattr(op, "kernel_size", None) or getattr(op, "pool_size", 1)
    each = tuple(size) if isinstance(size, Sequence) else (size,)
    return str(each[0]) if len(set(each)) == 1 else "×".join(map(str, each))


def _notation(steps: Sequence[Sequence[Step]]) -> str:
    if not any(step.text.startswith(tuple(KINDS.values())) for each in steps for step in each):
        return ""
    bold = " Bold: not in the column before." if len(steps) > 1 else ""
    return f"conv⟨window⟩-⟨output channels⟩.{bold}"
