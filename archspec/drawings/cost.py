"""The style `cost`: parameters, MACs and activation memory as bars, one row for each stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from archspec.drawings import svg
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import shortened, text_width
from archspec.format import byte_size, count
from archspec.graph.analysis.summary import SummaryRow, rows
from archspec.graph.ir import Graph

SIZE = 11.0
HEIGHT = 15.0
STEP = 21.0
MARGIN = 20.0
BAR = 170.0
"""Length of the longest bar of a panel."""
VALUE = 116.0
"""Room for the number after a bar."""
NAME = 230.0
"""Most pixels of a name."""
FEWEST, MOST = 5, 80
"""Rows that a drawing has at least and at most, if a depth gives them."""
NEARLY_ALL = 0.9


class BarPanel(NamedTuple):
    """A column of bars."""

    heading: str
    family: str
    value: Callable[[SummaryRow], int]
    text: Callable[[int], str]
    total: Callable[[Graph], int | None]
    """As `archspec summarize` prints it."""
    note: str = "in total"


PANELS = (
    BarPanel("parameters", "dense", lambda row: row.params, count, lambda graph: graph.params),
    BarPanel("MACs of one image", "convolution", lambda row: row.macs or 0, count, lambda graph: graph.macs),
    BarPanel(
        "memory of the outputs, float32",
        "pooling",
        lambda row: row.activation_bytes or 0,
        byte_size,
        lambda graph: graph.activation_bytes,
        "in total, with the input",
    ),
)


def draw(graphs: Sequence[Graph], depth: int | None = None) -> Drawing:
    """Draw the cost of one network; the rows are those of `archspec summarize --depth DEPTH`."""
    (graph,) = graphs
    found = rows(graph, depth or _depth(graph))
    names = [shortened(row.name, SIZE, NAME) for row in found]
    left = MARGIN + max(text_width(name, SIZE) for name in names) + 12
    top = MARGIN + 62
    parts = [svg.text(MARGIN, MARGIN + SIZE, graph.name, SIZE + 2, font_weight="bold")]
    for number, name in enumerate(names):
        y = top + STEP * number + HEIGHT / 2 + SIZE * 0.36
        parts.append(svg.text(left - 8, y, name, SIZE, text_anchor="end"))
    for place, panel in enumerate(PANELS):
        x = left + place * (BAR + VALUE)
        values = [panel.value(row) for row in found]
        total, most = panel.total(graph) or sum(values), max(values)
        parts.append(svg.text(x, top - 26, panel.heading, SIZE, font_weight="bold"))
        parts.append(svg.text(x, top - 11, f"{panel.text(total)} {panel.note}", SIZE, class_="faint"))
        for number, value in enumerate(values):
            y = top + STEP * number
            length = BAR * value / most if most else 0
            parts.append(svg.rect(x, y, max(length, 0.5), HEIGHT, class_=f"f-{panel.family}", data_value=str(value)))
            if value:
                share = f"{panel.text(value)} ({100 * value / total:.1f}%)"
                parts.append(svg.text(x + length + 5, y + HEIGHT / 2 + SIZE * 0.36, share, SIZE))
    width = left + len(PANELS) * (BAR + VALUE) + MARGIN
    return Drawing(f"{graph.name}: cost", "".join(parts), width, top + STEP * len(found) + MARGIN)


def _depth(graph: Graph) -> int:
    """The smallest depth at which no row has nearly all MACs: 1 but for networks inside one block, such as ViT."""
    deepest = max(node.path.count("/") for node in graph.nodes) + 1
    for depth in range(1, deepest + 1):
        found = rows(graph, depth)
        if len(found) > MOST:
            break
        if len(found) >= FEWEST and max(row.macs or 0 for row in found) <= NEARLY_ALL * (graph.macs or 1):
            return depth
    return next((depth for depth in range(1, deepest) if len(rows(graph, depth)) >= FEWEST), deepest)
