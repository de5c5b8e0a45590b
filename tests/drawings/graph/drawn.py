"""Reads an SVG of the style `graph` back: boxes, edges and labels, with what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import matplotlib
from PIL import ImageFont

from archspec.graph.ir import Graph

SVG = "{http://www.w3.org/2000/svg}"
NEAR = 0.3
"""Pixels between points that are the same but for rounding."""

Point = tuple[float, float]


class Rect(NamedTuple):
    """x, y of the corners."""

    left: float
    top: float
    right: float
    bottom: float

    def contains(self, other: Rect) -> bool:
        return (
            self.left - NEAR <= other.left
            and self.top - NEAR <= other.top
            and other.right <= self.right + NEAR
            and other.bottom <= self.bottom + NEAR
        )

    def overlaps(self, other: Rect) -> bool:
        return (
            self.left + NEAR < other.right
            and other.left + NEAR < self.right
            and self.top + NEAR < other.bottom
            and other.top + NEAR < self.bottom
        )


@dataclass(frozen=True)
class Item:
    """A layer, a folded block or a frame."""

    kind: str
    path: str
    rect: Rect
    texts: tuple[tuple[str, float, Rect], ...]
    """Text, font size, and its extent as FreeType measures it."""


@dataclass(frozen=True)
class Drawn:
    """An SVG."""

    items: list[Item]
    edges: list[tuple[int, list[Point]]]
    shapes: list[tuple[int, str, Rect]]

    def of(self, kind: str) -> list[Item]:
        return [item for item in self.items if item.kind == kind]

    @cached_property
    def by_path(self) -> tuple[dict[str, Rect], dict[str, Rect]]:
        """The layers and the folded blocks."""
        layers, folded = ({item.path: item.rect for item in self.of(kind)} for kind in ("layer", "folded"))
        return layers, folded

    @property
    def boxes(self) -> list[Item]:
        return [item for item in self.items if item.kind != "block"]


@cache
def font(bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), 100)


def measured(text: str, size: float, bold: bool = False) -> float:
    """The width of a text in pixels, by FreeType."""
    return font(bold).getlength(text) * size / 100


def read(text: str) -> Drawn:
    """The drawing in an SVG."""
    root = ET.fromstring(text)
    items: list[Item] = []
    edges, shapes = [], []
    for group in root.iter(f"{SVG}g"):
        if "data-path" in group.attrib:
            rects = [_rect(each) for each in group.iter(f"{SVG}rect")]
            texts = tuple(_text(each) for each in group.iter(f"{SVG}text"))
            items.append(Item(group.get("class", "").split()[0], group.get("data-path", ""), rects[-1], texts))
    for each in root.iter(f"{SVG}path"):
        edges.append((int(each.get("data-net", "")), _points(each.get("d", ""))))
    for each in root.iter(f"{SVG}text"):
        if "data-net" in each.attrib:
            shown, _, rect = _text(each)
            shapes.append((int(each.get("data-net", "")), shown, rect))
    return Drawn(items, edges, shapes)


def _rect(element: ET.Element) -> Rect:
    x, y, width, height = (float(element.get(name, "")) for name in ("x", "y", "width", "height"))
    return Rect(x, y, x + width, y + height)


def _text(element: ET.Element) -> tuple[str, float, Rect]:
    text, size = element.text or "", float(element.get("font-size", ""))
    x, y, width = float(element.get("x", "")), float(element.get("y", "")), measured(text, size)
    if element.get("text-anchor") == "middle":
        x -= width / 2
    elif element.get("text-anchor") == "end":
        x -= width
    return text, size, Rect(x, y - size * 0.73, x + width, y)


def _points(data: str) -> list[Point]:
    """The corners of a path; a rounded one is the control point of its curve."""
    found: list[Point] = []
    steps = re.findall(r"([MLQ])([^MLQ]*)", data)
    for number, (kind, values) in enumerate(steps):
        numbers = [float(value) for value in values.split()]
        if kind != "L" or number == len(steps) - 1:
            found.append((numbers[0], numbers[1]))
    return found


def problems(drawn: Drawn, graph: Graph, *, complete: bool) -> list[str]:
    """What is wrong with the drawing of a graph; `complete`: every layer must be in it, or in a folded block."""
    found = [*_overlaps(drawn), *_outside(drawn), *_crossings(drawn), *_wrong_shapes(drawn, graph)]
    found += [*_hidden_labels(drawn), *_hidden_edges(drawn)]
    if complete:
        found += _missing(drawn, graph)
    return found


def _overlaps(drawn: Drawn) -> Iterator[str]:
    """Boxes that overlap, and frames that neither contain a box or frame nor are apart from it."""
    items = sorted(drawn.items, key=lambda item: item.rect.top)
    active: list[Item] = []
    for item in items:
        active = [each for each in active if each.rect.bottom > item.rect.top + NEAR]
        for other in active:
            nested = [a for a, b in ((item, other), (other, item)) if a.kind == "block" and a.rect.contains(b.rect)]
            if item.rect.overlaps(other.rect) and not nested:
                yield f"{item.path} overlaps {other.path}"
        active.append(item)


def _outside(drawn: Drawn) -> Iterator[str]:
    for item in drawn.items:
        for text, _, rect in item.texts:
            if not item.rect.contains(rect):
                yield f"the text {text!r} is outside {item.path}"


def _crossings(drawn: Drawn) -> Iterator[str]:
    """Edges through boxes."""
    rows: dict[int, list[Item]] = defaultdict(list)
    for item in drawn.boxes:
        for row in range(int(item.rect.top // 100), int(item.rect.bottom // 100) + 1):
            rows[row].append(item)
    for net, points in drawn.edges:
        for (x0, y0), (x1, y1) in pairwise(points):
            line = Rect(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
            for row in range(int(line.top // 100), int(line.bottom // 100) + 1):
                for item in rows[row]:
                    rect = item.rect
                    if (
                        line.left < rect.right - NEAR
                        and rect.left + NEAR < line.right
                        and line.top < rect.bottom - NEAR
                        and rect.top + NEAR < line.bottom
                    ):
                        yield f"an edge of node {net} crosses {item.path}"


def _hidden_labels(drawn: Drawn) -> Iterator[str]:
    """Shapes on top of a box or of each other."""
    texts = [(f"the shape of node {net}", rect) for net, _, rect in drawn.shapes]
    texts += [(item.path, item.rect) for item in drawn.boxes]
    texts.sort(key=lambda each: each[1].top)
    active: list[tuple[str, Rect]] = []
    for name, rect in texts:
        active = [each for each in active if each[1].bottom > rect.top + NEAR]
        for other, place in active:
            if rect.overlaps(place):
                yield f"{name} is on top of {other}"
        active.append((name, rect))


def _hidden_edges(drawn: Drawn) -> Iterator[str]:
    """Edges of two nodes on the same line."""
    lines: dict[tuple[bool, int], list[tuple[float, float, int]]] = defaultdict(list)
    for net, points in drawn.edges:
        for (x0, y0), (x1, y1) in pairwise(points):
            vertical = x0 == x1
            low, high = sorted((y0, y1) if vertical else (x0, x1))
            lines[vertical, round(10 * (x0 if vertical else y0))].append((low, high, net))
    for (vertical, place), pieces in lines.items():
        pieces.sort()
        for (_, high, net), (low, _, other) in pairwise(pieces):
            if net != other and low < high - 1:
                yield f"edges of nodes {net} and {other} at {'x' if vertical else 'y'} = {place / 10}"


def _wrong_shapes(drawn: Drawn, graph: Graph) -> Iterator[str]:
    for net, text, _ in drawn.shapes:
        expected = ["?" if size is None else str(size) for size in graph.nodes[net].shape] or ["1"]
        if text.split("×") != expected:
            yield f"node {net} has the shape {expected}, but the label {text}"


def _missing(drawn: Drawn, graph: Graph) -> Iterator[str]:
    """Layers that are not drawn once, and edges whose lines do not lead from the one box to the other."""
    paths = Counter(node.path for node in graph.nodes)
    count = Counter(item.path for item in drawn.of("layer"))
    if not drawn.of("folded") and count != paths:
        yield f"layers are drawn too often: {dict(count - paths)}, or not: {dict(paths - count)}"
        return
    boxes = {node.path: _box(drawn, node.path) for node in graph.nodes}
    lines: dict[int, list[list[Point]]] = defaultdict(list)
    for net, points in drawn.edges:
        lines[net].append(points)
    readers = defaultdict(list)
    for node in graph.nodes:
        for net in node.inputs:
            readers[net].append(node.path)
    for net, readings in readers.items():
        start = boxes[graph.nodes[net].path]
        reached = _reached(start, lines[net])
        for path in readings:
            if boxes[path] != start and not any(_touches(boxes[path], point) for point in reached):
                yield f"no line leads from {graph.nodes[net].path} to {path}"


def _box(drawn: Drawn, path: str) -> Rect:
    """The box of a layer, or of the folded block or repeat that contains it."""
    layers, folded = drawn.by_path
    found = layers.get(path) or next((folded[each] for each in _prefixes(path) if each in folded), None)
    return found or next(rect for each, rect in folded.items() if _is_copy(path, each))


def _prefixes(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _is_copy(path: str, repeat: str) -> bool:
    """Whether a path is in a repeat, `conv4_x/2-36`."""
    found = re.fullmatch(r"(.*?)(\d+)-(?:.*?)(\d+)", repeat)
    if not found or not path.startswith(found[1]):
        return False
    number = re.match(r"\d+", path.removeprefix(found[1]))
    return number is not None and int(found[2]) <= int(number[0]) <= int(found[3])


def _touches(rect: Rect, point: Point) -> bool:
    x, y = point
    inside = rect.left - NEAR <= x <= rect.right + NEAR and rect.top - NEAR <= y <= rect.bottom + NEAR
    edge = min(abs(x - rect.left), abs(x - rect.right), abs(y - rect.top), abs(y - rect.bottom))
    return inside and edge <= NEAR


def _reached(start: Rect, lines: Sequence[list[Point]]) -> list[Point]:
    """The ends of all lines that lead away from a box, each from the box or from a point on another line."""
    found = [line for line in lines if _touches(start, line[0])]
    waiting = [line for line in lines if not _touches(start, line[0])]
    moved = True
    while moved and waiting:
        moved = False
        for line in list(waiting):
            if any(_is_on(line[0], other) for other in found):
                found.append(line)
                waiting.remove(line)
                moved = True
    return [line[-1] for line in found]


def _is_on(point: Point, line: Sequence[Point]) -> bool:
    x, y = point
    return any(
        min(x0, x1) - NEAR <= x <= max(x0, x1) + NEAR and min(y0, y1) - NEAR <= y <= max(y0, y1) + NEAR
        for (x0, y0), (x1, y1) in pairwise(line)
    )
