"""Networks of stages, one column each, as in Table 1 of ResNet (He et al. 2015) and of DenseNet (Huang et al. 2016).

A row has the layers of one stage: a repeated block in brackets with the number of its copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, takewhile
from typing import NamedTuple

from archspec.diagnostics import counted
from archspec.drawings.components import (
    CONVOLUTIONS,
    GLOBAL_POOLS,
    POOLS,
    Component,
    TableColumn,
    branches,
    components,
    extent,
    hidden,
    is_shown,
    kernel,
    stride,
)
from archspec.drawings.table.model import Cell, Line, PaperTable, Part, cell, inline
from archspec.graph.analysis.weight_layers import gates
from archspec.graph.ir import Graph, Node

FOLDED = 4
"""Equal branches from which on they are one line with their number."""

Parts = tuple[Part, ...]


class Band(NamedTuple):
    """What a component has in one row of the table: the output size, and the parts of the cell."""

    size: str
    parts: Parts


class Stage(NamedTuple):
    """A component with the rows that it takes."""

    component: Component
    bands: tuple[Band, ...]


def stages(title: str, columns: Sequence[TableColumn]) -> PaperTable:
    """The table of stages; the last row has the multiply-adds, which the papers call FLOPs."""
    dense = all(is_dense(column.graph) for column in columns)
    made = [_stages(column.graph, dense) for column in columns]
    named = {name for column in columns for name in column.named}
    rows: list[tuple[Cell, ...]] = [
        tuple(cell(text, heading=True) for text in ("layer name", "output size", *(c.heading for c in columns)))
    ]
    names = _united([list(each) for each in made])
    for start, group in groupby(names, key=lambda name: _row_of(name, names, made, named, dense)):
        members = list(group)
        label = start if start in named else "" if _is_end(start, made) else start
        rows += _rows(label, members, made)
    macs = [_scientific(column.graph.macs) for column in columns]
    rows.append((cell("FLOPs", columns=2), *map(cell, macs)))
    notes = ["FLOPs as in the paper: multiply-adds of one image (MACs)."]
    if dense:
        notes.insert(0, _growth(columns))
    return PaperTable(title, tuple(rows), tuple(filter(None, [*notes, hidden([c.graph for c in columns])])))


def is_dense(graph: Graph) -> bool:
    """Whether all merges are concatenations that add the growth rate, a number of channels (Huang et al. 2016)."""
    merges = [node for node in graph.layers if len(node.inputs) > 1]
    if not all(node.op.name == "concat" and len(node.inputs) == 2 for node in merges):
        return False
    return len({(node.shape[-1] or 0) - (graph.shapes_into(node)[0][-1] or 0) for node in merges}) == 1


def _growth(columns: Sequence[TableColumn]) -> str:
    """The growth rates: the channels that the first concatenation of each network adds."""
    rates: list[str] = []
    for column in columns:
        first = next(node for node in column.graph.layers if node.op.name == "concat")
        before = column.graph.shapes_into(first)[0][-1]
        rates.append(str((first.shape[-1] or 0) - (before or 0)))
    most = max(rates, key=rates.count)
    others = [f"{rate} in {column.heading}" for rate, column in zip(rates, columns, strict=True) if rate != most]
    return f"Growth rate k = {', '.join([most, *others])}. Each conv is BN, ReLU, convolution."


def _stages(graph: Graph, dense: bool) -> dict[str, Stage]:
    """The stage of each component by its name; components without a line of their own are left out."""
    gated = frozenset(graph.nodes[index].path for index in gates(graph))
    found = {}
    for component in components(graph):
        bands = tuple(_bands(graph, component, gated, dense))
        if bands:
            found[component.name] = Stage(component, bands)
    return found


def _bands(graph: Graph, component: Component, gated: frozenset[str], dense: bool) -> Iterator[Band]:
    """One row; for a DenseNet's transition one row for each output size, as in the paper."""
    runs: list[tuple[Node, ...]] = [component.nodes]
    if dense and not component.repeated:
        runs = [tuple(group) for _, group in groupby(component.nodes, key=lambda node: extent(node.shape))]
    for nodes in runs:
        parts = tuple(_parts(graph, replace(component, nodes=nodes), gated, dense))
        if parts:
            yield Band(extent(nodes[-1].shape), parts)


def _parts(graph: Graph, component: Component, gated: frozenset[str], dense: bool) -> Iterator[Part]:
    copies = component.copies if component.repeated else (component.nodes,)
    lines = [tuple(_lines(graph, nodes, gated, dense, component.repeated)) for nodes in copies]
    for each, group in groupby(lines):
        if each:
            yield Part(tuple(map(Line, each)), len(list(group)) if component.repeated else None)


def _lines(graph: Graph, nodes: Sequence[Node], gated: frozenset[str], dense: bool, repeated: bool) -> Iterator[str]:
    """The lines of a copy: one for each layer, or, between branches that are concatenated, one for each branch."""
    found = list(branches(graph, nodes))
    if len(found) > 1:
        texts = [" → ".join(_text(node, dense, repeated) for node in branch) for branch in found]
        for text, same in groupby(texts):
            times = len(list(same))
            yield from [text] * times if times < FOLDED else [f"{text} (in {counted(times, 'branch')})"]
        return
    for is_gate, group in groupby(nodes, key=lambda node: node.path in gated):
        if is_gate:
            units = [str(node.shape[-1]) for node in group if node.op.name in ("conv", "dense")]
            yield f"fc, [{', '.join(units)}]"
        else:
            yield from (_text(node, dense, repeated) for node in group if is_shown(node))


def _text(node: Node, dense: bool, repeated: bool) -> str:
    """`3×3, 64`; in a DenseNet `3×3 conv`. In a repeated block strides are not shown, as in the papers."""
    op, name = node.op, node.op.name
    step = "" if repeated or stride(node) == "1" else f", stride {stride(node)}"
    if name in CONVOLUTIONS:
        kinds = {"depthwise_conv": " depthwise", "separable_conv": " separable", "conv_transpose": " transposed"}
        kind = kinds.get(name, "")
        groups = getattr(op, "groups", 1)
        cardinality = f", C={groups}" if groups > 1 else ""
        return f"{kernel(node)} conv{step}" if dense else f"{kernel(node)}{kind}, {node.shape[-1]}{cardinality}{step}"
    if name in POOLS:
        what = {"maxpool": "max pool", "avgpool": "average pool"}[name]
        return f"{kernel(node)} {what}, stride {stride(node)}"
    if name == "dense":
        return f"{node.shape[-1]}-d fc"
    words = {"global_avgpool": "average pool", "global_maxpool": "max pool", "lrn": "LRN"}
    return words.get(name, name.replace("_", " "))


def _united(sequences: Sequence[Sequence[str]]) -> list[str]:
    """All names once; a name that only later columns have comes after its neighbour."""
    names: list[str] = []
    for each in sequences:
        place = 0
        for name in each:
            if name in names:
                place = names.index(name) + 1
            else:
                names.insert(place, name)
                place += 1
    return names


Made = Sequence[dict[str, Stage]]


def _row_of(name: str, names: Sequence[str], made: Made, named: set[str], dense: bool) -> str:
    """The name of the row to which a component belongs: pooling to the stage after it, the classifier to one row."""
    component = next(each[name].component for each in made if name in each)
    if _is_end(name, made):
        return next(other for other in names if _is_end(other, made))
    following = names[names.index(name) + 1 :]
    is_pool = all(node.op.name in POOLS for node in component.nodes if is_shown(node))
    if is_pool and not dense and name not in named and following and not _is_end(following[0], made):
        return following[0]
    return name


def _is_end(name: str, made: Made) -> bool:
    """Whether the component comes after the feature maps."""
    nodes = next(each[name].component for each in made if name in each).nodes
    shown = [node for node in nodes if is_shown(node)]
    return all(len(node.shape) == 1 or node.op.name in GLOBAL_POOLS for node in shown)


def _rows(label: str, members: Sequence[str], made: Made) -> Iterator[tuple[Cell, ...]]:
    """The rows of one stage: a row that all columns share is one cell, and so are equal sizes."""
    contents: list[tuple[str, list[Parts]]] = []
    if all(_is_end(name, made) for name in members):
        contents.append(
            (
                _size([each[name].bands[-1].size for name in members for each in made if name in each]),
                [(Part((Line(_ending(members, each)),)),) for each in made],
            )
        )
    else:
        for name in members:
            for place in range(max(len(each[name].bands) for each in made if name in each)):
                bands = [
                    each[name].bands[place] if name in each and place < len(each[name].bands) else None for each in made
                ]
                contents.append((_size([band.size for band in bands if band]), [b.parts if b else () for b in bands]))
    sizes = [size for size, _ in contents]
    for number, (size, content) in enumerate(contents):
        start: list[Cell] = [cell(label, rows=len(contents))] if number == 0 else []
        if number == 0 or sizes[number - 1] != size:
            start.append(cell(size, rows=len(list(takewhile(size.__eq__, sizes[number:])))))
        if len(set(content)) == 1 and all(part.times is None for part in content[0]) and len(content) > 1:
            yield (*start, Cell(content[0], columns=len(content)))
        else:
            yield (*start, *map(Cell, content))


def _size(sizes: Sequence[str]) -> str:
    each = list(dict.fromkeys(sizes))
    return each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}"


def _ending(members: Sequence[str], each: dict[str, Stage]) -> str:
    return ", ".join(
        inline(part) for name in members if name in each for band in each[name].bands for part in band.parts
    )


def _scientific(macs: int | None) -> str:
    """`11.3×10⁹`: the exponent is a multiple of 3, as in the paper."""
    if not macs:
        return "?" if macs is None else "0"
    power = (len(str(macs)) - 1) // 3 * 3
    return f"{macs / 10**power:#.3g}×10{str(power).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}".replace(
        ".×", "×"
    )
