"""The style `table`: `archspec draw vgg --style table`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from archspec.drawings import svg
from archspec.drawings.components import TableColumn
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import text_width
from archspec.drawings.styles import Caption
from archspec.drawings.table.choose import paper_table
from archspec.drawings.table.formats import FORMATS, SUFFIXES
from archspec.drawings.table.model import Cell, PaperTable, Part
from archspec.graph.ir import Graph

SIZE = 12.0
"""Of the text, in pixels."""
LINE = 17.0
"""Height of a line."""
PAD_X, PAD_Y = 10.0, 6.0
"""Space around the text of a cell."""
BRACKET = 6.0
"""Width of a bracket with its space."""
MARGIN = 16.0
NOTE = 10.5
"""Size of the text of notes."""


def draw(graphs: Sequence[Graph], captions: Sequence[Caption]) -> Drawing:
    """Draw the table of the networks, as their papers print it."""
    table = table_of(graphs, captions)
    widths, heights = _widths(table), _heights(table)
    xs = [MARGIN + sum(widths[:i]) for i in range(len(widths) + 1)]
    top = MARGIN + LINE + PAD_Y
    ys = [top + sum(heights[:i]) for i in range(len(heights) + 1)]
    parts = [svg.text(MARGIN, MARGIN + SIZE, table.title, SIZE + 1, font_weight="bold")]
    for y, x, cell in table.placed():
        left, right, high, low = xs[x], xs[x + cell.columns], ys[y], ys[y + cell.rows]
        parts.append(svg.rect(left, high, right - left, low - high, class_="cell"))
        parts += _cell(cell, (left + right) / 2, high, low)
    width = max([xs[-1], *(MARGIN + text_width(note, NOTE) for note in table.notes)]) + MARGIN
    for number, note in enumerate(table.notes):
        parts.append(svg.text(MARGIN, ys[-1] + LINE * (number + 1), note, NOTE, class_="faint"))
    height = ys[-1] + LINE * len(table.notes) + MARGIN
    texts = {suffix: partial(FORMATS[name], table) for suffix, name in SUFFIXES.items()}
    return Drawing(f"{table.title}: table", "".join(parts), width, height, STYLE, texts)


STYLE = (
    ".cell{fill:none;stroke:#afb8c1}.bracket{fill:none;stroke:#57606a;stroke-width:1.2}"
    "@media (prefers-color-scheme:dark){.cell{stroke:#484f58}.bracket{stroke:#9aa5b1}}"
)


def table_of(graphs: Sequence[Graph], captions: Sequence[Caption]) -> PaperTable:
    """The table of networks: its columns are named after the variants, or after the networks of several families."""
    families = list(dict.fromkeys(caption.family for caption in captions))
    headings = [
        (caption.variant or graph.name) if len(families) == 1 else graph.name
        for graph, caption in zip(graphs, captions, strict=True)
    ]
    columns = [
        TableColumn(heading, graph, caption.layers)
        for heading, graph, caption in zip(headings, graphs, captions, strict=True)
    ]
    default = next((number for number, caption in enumerate(captions) if caption.default), 0)
    title = graphs[0].name if len(graphs) == 1 else ", ".join(families)
    return paper_table(title, columns, default)


def _widths(table: PaperTable) -> list[float]:
    """The width of each column: that of its widest cell; a cell over several columns widens all of them."""
    widths = [0.0] * table.width
    for _, x, cell in sorted(table.placed(), key=lambda each: each[2].columns):
        lacking = _cell_width(cell) + 2 * PAD_X - sum(widths[x : x + cell.columns])
        for i in range(x, x + cell.columns):
            widths[i] += max(0.0, lacking) / cell.columns
    return widths


def _heights(table: PaperTable) -> list[float]:
    heights = [LINE + 2 * PAD_Y] * len(table.rows)
    for y, _, cell in sorted(table.placed(), key=lambda each: each[2].rows):
        lacking = _cell_height(cell) + 2 * PAD_Y - sum(heights[y : y + cell.rows])
        for i in range(y, y + cell.rows):
            heights[i] += max(0.0, lacking) / cell.rows
    return heights


def _cell_width(cell: Cell) -> float:
    return max((_part_width(part, cell.heading) for part in cell.parts), default=0.0)


def _part_width(part: Part, heading: bool) -> float:
    wide = max(text_width(line.text, SIZE, line.bold or heading) for line in part.lines)
    return wide if part.times is None else wide + 2 * BRACKET + text_width(f" ×{part.times}", SIZE)


def _cell_height(cell: Cell) -> float:
    return sum(LINE * len(part.lines) for part in cell.parts) + PAD_Y * max(0, len(cell.parts) - 1)


def _cell(cell: Cell, middle: float, high: float, low: float) -> Iterator[str]:
    """The text of a cell."""
    y = high + PAD_Y if cell.top else (high + low - _cell_height(cell)) / 2
    for part in cell.parts:
        yield from _part(part, middle, y, cell.heading)
        y += LINE * len(part.lines) + PAD_Y


def _part(part: Part, middle: float, y: float, heading: bool) -> Iterator[str]:
    wide = max(text_width(line.text, SIZE, line.bold or heading) for line in part.lines)
    centre = middle
    if part.times is not None:
        times = f" ×{part.times}"
        centre = middle - text_width(times, SIZE) / 2
        left, right, low = centre - wide / 2 - BRACKET, centre + wide / 2 + BRACKET, y + LINE * len(part.lines)
        for edge, inner in ((left, left + 4), (right, right - 4)):
            yield svg.line([(inner, y), (edge, y), (edge, low), (inner, low)], 0, class_="bracket")
        yield svg.text(right + 3, (y + low) / 2 + SIZE * 0.36, times.strip(), SIZE)
    for number, line in enumerate(part.lines):
        weight = "bold" if line.bold or heading else None
        baseline = y + LINE * number + LINE / 2 + SIZE * 0.36
        yield svg.text(centre, baseline, line.text, SIZE, text_anchor="middle", font_weight=weight)
