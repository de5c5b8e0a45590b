"""The style `columns`: networks side by side, aligned by output size, as in Figure 3 of He et al. 2015.

Layers on the way to the main output are boxes from top to bottom; a module with several branches is one box. An arc is
a shortcut, dotted where the shape changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.diagnostics import counted
from archspec.drawings import svg
from archspec.drawings.components import (
    CONVOLUTIONS,
    GLOBAL_POOLS,
    POOLS,
    branches,
    components,
    is_shown,
    kernel,
    stride,
)
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import text_width
from archspec.drawings.palette import family
from archspec.drawings.styles import Caption
from archspec.format import count
from archspec.graph.analysis.weight_layers import depth, gates
from archspec.graph.ir import Graph, ancestors
from archspec.ops.base import Shape

SIZE = 11.0
HEIGHT = 19.0
GAP = 9.0
"""Between two boxes."""
SPACE = 12.0
"""More space between two output sizes."""
PAD = 12.0
ARC = 26.0
"""Width of an arc."""
BETWEEN = 34.0
MARGIN = 20.0
TOP = 64.0


class LayerBox(NamedTuple):
    """A box: the number of the layer whose output it stands for, its text, its family and its output size."""

    node: int
    text: str
    family: str
    size: tuple[int, ...]


class Shortcut(NamedTuple):
    """From above the box `first` to below the box `last`, both by their numbers in the column."""

    first: int
    last: int
    changes_shape: bool


def draw(graphs: Sequence[Graph], captions: Sequence[Caption]) -> Drawing:
    """Draw networks side by side."""
    columns = [list(boxes(graph)) for graph in graphs]
    rows = _rows(columns)
    ys = [_places(column, rows) for column in columns]
    sizes = [f"output size: {_size_text(key.size)}" for key in rows]
    x = MARGIN + max(text_width(text, SIZE) for text in sizes) + BETWEEN
    parts = [
        svg.text(MARGIN, top + HEIGHT / 2 + SIZE * 0.36, text, SIZE, class_="faint")
        for text, top in zip(sizes, rows.values(), strict=True)
    ]
    lines: list[str] = []
    for graph, caption, column, places in zip(graphs, captions, columns, ys, strict=True):
        title = f"{caption.family}:{caption.variant}" if caption.variant else caption.family
        facts = f"{counted(depth(graph), 'layer')}, {count(graph.macs)} MACs"
        wide = max(2 * PAD + max(text_width(box.text, SIZE) for box in column), text_width(title, SIZE + 1, True))
        wide = max(wide, text_width(facts, SIZE))
        middle = x + wide / 2
        parts.append(svg.text(middle, MARGIN + SIZE, title, SIZE + 1, text_anchor="middle", font_weight="bold"))
        parts.append(svg.text(middle, MARGIN + 2 * SIZE + 6, facts, SIZE, text_anchor="middle", class_="faint"))
        found = shortcuts(graph, column)
        parts += _column(column, places, x, wide)
        parts += [_arc(each, places, x + wide) for each in found]
        x += wide + max((_reach(each) for each in found), default=0.0) + BETWEEN
    width = x - BETWEEN + MARGIN
    for number, top in enumerate(rows.values()):
        if number:
            y = top - (GAP + SPACE) / 2
            lines.append(svg.line([(MARGIN, y), (width - MARGIN, y)], 0, class_="size"))
    height = max(max(places) for places in ys) + HEIGHT + MARGIN
    names = " ".join(graph.name for graph in graphs)
    return Drawing(f"{names}: columns", "".join([*lines, *parts]), width, height, STYLE)


STYLE = (
    ".size{stroke:#afb8c1;stroke-width:.7;stroke-dasharray:1 4}.arc{fill:none;stroke:#6e7781;stroke-width:1.2}"
    ".dotted{stroke-dasharray:2 3}rect{stroke-width:.9}"
    "@media (prefers-color-scheme:dark){.size{stroke:#484f58}.arc{stroke:#8b949e}}"
)


def boxes(graph: Graph) -> Iterator[LayerBox]:
    """The boxes of a network from its input to its main output."""
    yield LayerBox(0, "image" if len(graph.input_shape) == 3 else "input", "input", _size(graph.input_shape))
    index = {node.path: i for i, node in enumerate(graph.nodes)}
    gated = gates(graph)
    for component in components(graph):
        for number, nodes in enumerate(component.copies, 1):
            if len(list(branches(graph, nodes))) > 1:
                name = f"{component.name} {number}" if component.repeated else component.name
                last = nodes[-1]
                yield LayerBox(index[last.path], f"{name}, {last.shape[-1]}", "block", _size(last.shape))
                continue
            for node in nodes:
                if is_shown(node) and (place := index[node.path]) not in gated:
                    shape = _joined(graph, place) if node.op.name == "class_token" else node.shape
                    yield LayerBox(place, _text(graph, place), family(node.op), _size(shape))


def _joined(graph: Graph, token: int) -> Shape:
    """The shape of the tokens that a class token is joined to, so that it stands among them."""
    return next(node.shape for node in graph.nodes if token in node.inputs)


def _text(graph: Graph, index: int) -> str:
    """`3×3 conv, 64, /2`; a transposed convolution multiplies the size: `2×2 up conv, 64, ×2`."""
    node = graph.nodes[index]
    name, step = node.op.name, "" if stride(node) == "1" else f", /{stride(node)}"
    if name in CONVOLUTIONS:
        kind = {"depthwise_conv": "dw conv", "separable_conv": "sep conv", "conv_transpose": "up conv"}.get(
            name, "conv"
        )
        step = step.replace("/", "×") if name == "conv_transpose" else step
        return f"{kernel(node)} {kind}, {node.shape[-1]}{step}"
    if name in POOLS:
        return f"{'' if name == 'maxpool' else 'avg '}pool{step}"
    if name in GLOBAL_POOLS:
        return "avg pool" if name == "global_avgpool" else "global max pool"
    return f"fc {node.shape[-1]}" if name == "dense" else name.replace("_", " ")


def shortcuts(graph: Graph, column: Sequence[LayerBox]) -> list[Shortcut]:
    """The shortcuts around boxes: merges of an earlier output with the boxes after it."""
    numbers = {box.node: number for number, box in enumerate(column)}
    found = []
    for node in graph.layers:
        if node.op.name not in ("add", "concat") or len(node.inputs) != 2:
            continue
        sides = [ancestors(graph, each) for each in node.inputs]
        fork = max(sides[0] & sides[1])
        inside = [sorted(numbers[i] for i in side if i > fork and i in numbers) for side in sides]
        body = inside[0] or inside[1]
        if body and not all(inside):
            changes = graph.nodes[fork].shape != node.shape and node.op.name == "add"
            found.append(Shortcut(body[0], body[-1], changes))
    return found


def _size(shape: Shape) -> tuple[int, ...]:
    """Height and width; (1, 1) for a vector."""
    sizes = tuple(size or 0 for size in shape[:-1])
    return sizes if any(size != 1 for size in sizes) else (1, 1)


def _size_text(size: tuple[int, ...]) -> str:
    return str(size[0]) if len(set(size)) == 1 else "×".join(map(str, size))


class RowKey(NamedTuple):
    """An output size, and how often the network has upsampled before it."""

    upsampled: int
    size: tuple[int, ...]


def _keys(column: Sequence[LayerBox]) -> list[RowKey]:
    """The row of each box: a map that is larger than the one before begins further rows; vectors have one row."""
    found: list[RowKey] = []
    upsampled, before = 0, column[0].size
    for box in column:
        if box.size != (1, 1):
            upsampled += len(box.size) == len(before) and math.prod(box.size) > math.prod(before)
            before = box.size
        found.append(RowKey(0 if box.size == (1, 1) else upsampled, box.size))
    return found


def _rows(columns: Sequence[Sequence[LayerBox]]) -> dict[RowKey, float]:
    """The y of the first box of each row."""
    most: dict[RowKey, int] = {}
    for column in columns:
        keys = _keys(column)
        for key in dict.fromkeys(keys):
            most[key] = max(most.get(key, 0), keys.count(key))
    rows, y = {}, TOP
    for key in sorted(most, key=_order):
        rows[key] = y
        y += most[key] * (HEIGHT + GAP) + SPACE
    return rows


def _order(key: RowKey) -> tuple[bool, int, bool, int]:
    """Maps before sequences before vectors, and larger ones first between two upsamplings."""
    return key.size == (1, 1), key.upsampled, len(key.size) != 2, -math.prod(key.size)


def _places(column: Sequence[LayerBox], rows: dict[RowKey, float]) -> list[float]:
    """The y of each box."""
    used = dict(rows)
    places = []
    for key in _keys(column):
        places.append(used[key])
        used[key] += HEIGHT + GAP
    return places


def _column(column: Sequence[LayerBox], places: Sequence[float], x: float, wide: float) -> Iterator[str]:
    middle = x + wide / 2
    for number, (box, y) in enumerate(zip(column, places, strict=True)):
        if number:
            yield svg.line([(middle, places[number - 1] + HEIGHT), (middle, y)], 0, class_="edge")
            tip = f"M{svg.number(middle - 2.5)} {svg.number(y - 4)}h5L{svg.number(middle)} {svg.number(y)}z"
            yield svg.element("path", d=tip, class_="tip")
        yield svg.rect(x, y, wide, HEIGHT, class_=f"f-{box.family}", rx=3, data_size=_size_text(box.size))
        yield svg.text(middle, y + HEIGHT / 2 + SIZE * 0.36, box.text, SIZE, text_anchor="middle")


def _reach(each: Shortcut) -> float:
    """How far an arc goes to the right: further around more boxes."""
    return ARC + 4 * max(0, each.last - each.first - 2)


def _arc(each: Shortcut, places: Sequence[float], right: float) -> str:
    """A curve to the right of the boxes, between the middles of the gaps above and below them."""
    start, end = places[each.first] - GAP * 0.4, places[each.last] + HEIGHT + GAP * 0.4
    reach = svg.number(right + _reach(each))
    data = (
        f"M{svg.number(right - 8)} {svg.number(start)}C{reach} {svg.number(start)} "
        f"{reach} {svg.number(end)} {svg.number(right - 8)} {svg.number(end)}"
    )
    return svg.element("path", d=data, class_="arc dotted" if each.changes_shape else "arc")
