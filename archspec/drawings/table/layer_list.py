"""One network as a list of its layers, as in Table 1 of MobileNets (Howard et al. 2017): type and stride, filter shape,
input size."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.drawings.components import (
    CONVOLUTIONS,
    GLOBAL_POOLS,
    POOLS,
    TIMES,
    TableColumn,
    components,
    extent,
    full,
    hidden,
    in_shortcut,
    kernel,
    stride,
)
from archspec.drawings.table.model import Cell, PaperTable, cell
from archspec.graph.ir import Graph, Node

SHOWN = (*CONVOLUTIONS, *POOLS, *GLOBAL_POOLS, "dense", "softmax")
KINDS = {"conv": "Conv", "depthwise_conv": "Conv dw", "separable_conv": "Conv sep", "conv_transpose": "Conv up"}

Texts = tuple[str, str, str]


def layer_list(title: str, column: TableColumn) -> PaperTable:
    """The table of layers; copies of a block with the same layers are written once, with their number."""
    graph = column.graph
    rows: list[tuple[Cell, ...]] = [
        (
            cell("Type / Stride", columns=2, heading=True),
            cell("Filter Shape", heading=True),
            cell("Input Size", heading=True),
        )
    ]
    for times, texts in _groups(graph):
        for number, (kind, shape, size) in enumerate(texts):
            if times == 1:
                rows.append((cell(kind, columns=2), cell(shape), cell(size)))
            else:
                factor = (cell(f"{times}{TIMES}", rows=len(texts)),) if number == 0 else ()
                rows.append((*factor, cell(kind), cell(shape), cell(size)))
    return PaperTable(title, tuple(rows), tuple(filter(None, [hidden([graph], SHOWN)])))


def _groups(graph: Graph) -> Iterator[tuple[int, list[Texts]]]:
    """(number of copies, layers of a copy)."""
    for component in components(graph):
        times = 0
        before: list[Texts] = []
        for nodes in component.copies:
            texts = [_texts(graph, node) for node in nodes if node.op.name in SHOWN and not in_shortcut(node)]
            if texts == before:
                times += 1
                continue
            if before:
                yield times, before
            times, before = 1, texts
        if before:
            yield times, before


def _texts(graph: Graph, node: Node) -> Texts:
    name = node.op.name
    (read,) = graph.shapes_into(node)
    size = full(read)
    if name == "dense" or (name == "conv" and extent(read) == extent((1, 1, 1))):
        return "FC / s1", f"{read[-1]}{TIMES}{node.shape[-1]}", size
    if name in CONVOLUTIONS:
        kind = {"conv": "Conv", "depthwise_conv": "Conv dw", "separable_conv": "Conv sep", "conv_transpose": "Conv up"}[
            name
        ]
        inputs = (read[-1] or 0) // getattr(node.op, "groups", 1)
        shape = (
            f"{kernel(node)}{TIMES}{read[-1]} dw"
            if name == "depthwise_conv"
            else f"{kernel(node)}{TIMES}{inputs}{TIMES}{node.shape[-1]}"
        )
        return f"{kind} / s{stride(node)}", shape, size
    if name == "softmax":
        return "Softmax / s1", "Classifier", size
    what = "Max Pool" if "max" in name else "Avg Pool"
    if name in POOLS:
        return f"{what} / s{stride(node)}", f"Pool {kernel(node)}", size
    return f"{what} / s1", f"Pool {extent(read)}", size
