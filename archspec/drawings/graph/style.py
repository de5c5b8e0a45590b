"""The style `graph`: `archspec draw REF`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from archspec.drawings import svg
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import text_width
from archspec.drawings.palette import family
from archspec.graph.ir import Graph

GAP = 30
HEIGHT = 26


def draw(graphs: Sequence[Graph], **options: object) -> Drawing:
    """Draw the layers of one network, one row for each distance from the input."""
    (graph,) = graphs
    ranks: list[int] = []
    rows: dict[int, list[int]] = defaultdict(list)
    for index, node in enumerate(graph.nodes):
        ranks.append(max((ranks[i] + 1 for i in node.inputs), default=0))
        rows[ranks[-1]].append(index)
    width = 24 + 140 * max(map(len, rows.values()))
    place = {
        index: (width / 2 + (number - (len(row) - 1) / 2) * 140, 20 + rank * (HEIGHT + GAP))
        for rank, row in rows.items()
        for number, index in enumerate(row)
    }
    parts = []
    for index, node in enumerate(graph.nodes):
        x, y = place[index]
        label = node.op.name or "input"
        parts.append(svg.rect(x - 60, y, 120, HEIGHT, class_=f"f-{family(node.op)}", rx=4))
        parts.append(svg.text(x - text_width(label, 11) / 2, y + 17, label, 11))
        for each in node.inputs:
            parts.append(svg.line([(place[each][0], place[each][1] + HEIGHT), (x, y)], class_="edge"))
    return Drawing(graph.name, "".join(parts), width, 40 + len(rows) * (HEIGHT + GAP))
