"""The style `receptive-field`: what a unit of each stage sees of the image, and how it grows with depth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from colorsys import hls_to_rgb
from pathlib import Path
from typing import NamedTuple

from archspec.diagnostics import counted, did_you_mean, fail
from archspec.drawings import svg
from archspec.drawings.components import components
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import text_width
from archspec.drawings.image import data_uri
from archspec.format import count
from archspec.graph.analysis.receptive_field import Number, ReceptiveField, receptive_fields
from archspec.graph.analysis.summary import axes
from archspec.graph.analysis.weight_layers import depth, weight_layers
from archspec.graph.ir import Graph, ancestors

SIZE = 11.0
MARGIN = 20.0
VIEW = 420.0
"""Side of the part with the image."""
SHARE = 0.62
"""Share of that side which the image takes; around it is the padding."""
CHART = (430.0, 300.0)
LINE = 19.0
MOST = 14
"""Stages that are drawn at most."""
TICKS = 5


class Seen(NamedTuple):
    """A layer with its name in the drawing, and the window that its middle unit sees, along height and width."""

    node: int
    name: str
    field: ReceptiveField
    starts: tuple[float, float]


def draw(graphs: Sequence[Graph], layer: str | None = None, image: str | Path | None = None) -> Drawing:
    """Draw the receptive fields of one network that reads images.

    Args:
        layer: the path of a layer or block, to show it alone.
        image: the file of an image, which is cropped to the shape of the input; by default a grid.

    Raises:
        ArchspecError: `draw-option` if the network reads no images, `free-input`, `unknown-layer`, `data-not-found`,
            `bad-images`.
    """
    (graph,) = graphs
    height, width = _input_size(graph)
    fields = receptive_fields(graph)
    stages = _stages(graph, fields) if layer is None else [_layer(graph, fields, layer)]
    scale = VIEW * SHARE / max(height, width)
    left, top = MARGIN, MARGIN + 30
    x0, y0 = left + (VIEW - width * scale) / 2, top + (VIEW - height * scale) / 2
    parts = [svg.text(MARGIN, MARGIN + SIZE, f"{graph.name}: receptive fields", SIZE + 2, font_weight="bold")]
    parts.append(svg.rect(left, top, VIEW, VIEW, class_="around"))
    parts += _picture(x0, y0, width, height, scale, image)
    if layer is not None:
        parts += _units(graph, stages[0], (x0, y0), scale)
    for number, each in enumerate(stages):
        parts.append(_window(each, _color(number, len(stages)), (x0, y0), scale, (left, top)))
    text_x = left + VIEW + 34
    parts += _legend(graph, stages, text_x, top)
    low = top + LINE * (len(stages) + 1) + 26
    parts += _chart(graph, fields, stages, text_x, low, max(height, width))
    total = text_x + max(CHART[0], 560.0) + MARGIN
    note = (
        "Windows of the middle units, cut at the outer frame; outside of the dashed frame, the image, is padding. "
        "Layers whose units all see the whole image are left out."
    )
    bottom = max(top + VIEW, low + CHART[1] + 34) + LINE
    parts.append(svg.text(MARGIN, bottom, note, SIZE, class_="faint"))
    return Drawing(f"{graph.name}: receptive fields", "".join(parts), total, bottom + MARGIN, STYLE)


STYLE = (
    ".around{fill:none;stroke:#afb8c1;stroke-width:.7}.grid{stroke:#d0d7de;stroke-width:.6}"
    ".image{fill:none;stroke:#57606a;stroke-dasharray:4 3}.axis{stroke:#6e7781;stroke-width:.9}"
    ".growth{fill:none;stroke:#0072b2;stroke-width:1.6}.limit{stroke:#b34a00;stroke-width:1;stroke-dasharray:5 3}"
    ".unit{fill:#57606a}.seen{fill-opacity:.05;stroke-width:1.8}"
    "@media (prefers-color-scheme:dark){.grid{stroke:#30363d}.growth{stroke:#56b4e9}.limit{stroke:#f0894e}}"
)


def _input_size(graph: Graph) -> tuple[int, int]:
    if len(graph.input_shape) != 3:
        raise fail("draw-option", f"the style `receptive-field` needs images, but `{graph.name}` reads none")
    height, width, _ = graph.input_shape
    if height is None or width is None:
        raise fail(
            "free-input",
            f"the receptive fields of `{graph.name}` cannot be drawn, since a size of its input is free",
            help="give the size: `--set input=[224,224,3]`",
        )
    return height, width


def _stages(graph: Graph, fields: Sequence[ReceptiveField | None]) -> list[Seen]:
    """The last layer of each component whose receptive field is larger than before, those of whole images excepted."""
    index = {node.path: i for i, node in enumerate(graph.nodes)}
    found: list[Seen] = []
    for component in components(graph):
        seen = _seen(graph, fields, index[component.nodes[-1].path], component.name)
        if seen and any(seen.field.stride) and (not found or max(seen.field.size) > max(found[-1].field.size)):
            found.append(seen)
    step = math.ceil(len(found) / MOST)
    return found[::-1][::step][::-1] if found else found


def _layer(graph: Graph, fields: Sequence[ReceptiveField | None], path: str) -> Seen:
    """The layer of a path, or the last layer of a block."""
    matches = [i for i, node in enumerate(graph.nodes) if node.path == path or node.path.startswith(f"{path}/")]
    if not matches:
        names = {"/".join(node.path.split("/")[:n]) for node in graph.nodes for n in range(1, node.path.count("/") + 2)}
        help = did_you_mean(path, names) or f"`archspec summarize` lists the layers of `{graph.name}`"
        raise fail("unknown-layer", f"`{graph.name}` has no layer `{path}`", help=help)
    seen = _seen(graph, fields, matches[-1], path)
    if seen is None:
        raise fail("draw-option", f"the receptive field of `{path}` is unknown")
    return seen


def _seen(graph: Graph, fields: Sequence[ReceptiveField | None], index: int, name: str) -> Seen | None:
    field, shape = fields[index], graph.nodes[index].shape
    if field is None:
        return None
    sizes = shape[:-1] if len(shape) == len(field.size) + 1 else (1,) * len(field.size)
    middles = [((size or 1) - 1) // 2 for size in sizes]
    starts = [offset + middle * step for offset, middle, step in zip(field.offset, middles, field.stride, strict=True)]
    return Seen(index, name, field, (float(starts[0]), float(starts[1])))


def _color(number: int, of: int) -> str:
    """From blue to red."""
    share = number / (of - 1) if of > 1 else 1.0
    channels = hls_to_rgb((210 + 150 * share) / 360, 0.45, 0.75)
    return f"#{''.join(f'{round(255 * channel):02x}' for channel in channels)}"


def _picture(x: float, y: float, width: int, height: int, scale: float, image: str | Path | None) -> Iterator[str]:
    """The image, or a grid with a line every 32 pixels."""
    if image is not None:
        uri = data_uri(image, width, height)
        yield svg.element("image", x=x, y=y, width=width * scale, height=height * scale, href=uri)
    else:
        step = 32 if max(width, height) > 64 else 4
        for place in range(0, width + 1, step):
            at = x + place * scale
            yield svg.line([(at, y), (at, y + height * scale)], 0, class_="grid")
        for place in range(0, height + 1, step):
            at = y + place * scale
            yield svg.line([(x, at), (x + width * scale, at)], 0, class_="grid")
        yield svg.text(x + 3, y - 4, f"a line every {counted(step, 'pixel')}", SIZE - 2, class_="faint")
    yield svg.rect(x, y, width * scale, height * scale, class_="image")


def _window(seen: Seen, color: str, origin: tuple[float, float], scale: float, corner: tuple[float, float]) -> str:
    """The window of the middle unit, cut at the border of the view."""
    (x0, y0), (left, top) = origin, corner
    (start_y, start_x), (size_y, size_x) = seen.starts, seen.field.size
    x, y = max(left, x0 + start_x * scale), max(top, y0 + start_y * scale)
    to_x, to_y = min(left + VIEW, x0 + (start_x + size_x) * scale), min(top + VIEW, y0 + (start_y + size_y) * scale)
    return svg.rect(x, y, to_x - x, to_y - y, class_="seen", stroke=color, fill=color, data_field=axes(seen.field.size))


def _units(graph: Graph, seen: Seen, origin: tuple[float, float], scale: float) -> Iterator[str]:
    """A dot at the middle of the window of each unit."""
    shape = graph.nodes[seen.node].shape
    if len(shape) != 3:
        return
    (x0, y0), field = origin, seen.field
    for row in range(shape[0] or 1):
        for column in range(shape[1] or 1):
            y = field.offset[0] + row * field.stride[0] + field.size[0] / 2
            x = field.offset[1] + column * field.stride[1] + field.size[1] / 2
            yield svg.element("circle", cx=x0 + x * scale, cy=y0 + y * scale, r=1.0, class_="unit")


def _legend(graph: Graph, stages: Sequence[Seen], x: float, y: float) -> Iterator[str]:
    columns = [x + 18, x + 200, x + 290, x + 370, x + 450]
    headings = ["layer", "receptive field", "stride", "units", "offset"]
    for at, heading in zip(columns, headings, strict=True):
        yield svg.text(at, y + SIZE, heading, SIZE, class_="faint")
    for number, seen in enumerate(stages):
        line = y + LINE * (number + 1)
        yield svg.rect(x, line + 2, 11, 11, fill=_color(number, len(stages)))
        shape = graph.nodes[seen.node].shape
        units = "×".join(map(str, shape[:-1])) or "1"
        name = seen.name if text_width(seen.name, SIZE) < 175 else f"…{seen.name[-24:]}"
        texts = [name, axes(seen.field.size), axes(seen.field.stride), units, axes(seen.field.offset)]
        for at, text in zip(columns, texts, strict=True):
            yield svg.text(at, line + SIZE, text, SIZE)


def _chart(
    graph: Graph, fields: Sequence[ReceptiveField | None], stages: Sequence[Seen], x: float, y: float, side: int
) -> Iterator[str]:
    """Receptive field against the number of weight layers before a layer."""
    depths = _depths(graph)
    kept = ancestors(graph, graph.outputs[0])
    points: dict[int, Number] = {}
    for index, field in enumerate(fields):
        if index in kept and field is not None and any(field.stride):
            points[depths[index]] = max(points.get(depths[index], 0), *field.size)
    width, height = CHART
    most_x, most_y = max(1, depth(graph)), max([side, *points.values()])
    yield svg.text(x, y - 8, "receptive field in pixels, against the number of weight layers", SIZE, class_="faint")
    yield svg.line([(x + 40, y), (x + 40, y + height), (x + width, y + height)], 0, class_="axis", fill="none")

    def place(at: float, value: float) -> tuple[float, float]:
        return x + 40 + (width - 40) * at / most_x, y + height - height * value / most_y

    for tick in _ticks(most_y):
        at = place(0, tick)[1]
        yield svg.text(x + 35, at + SIZE * 0.36, f"{tick:g}", SIZE - 1, text_anchor="end")
        yield svg.line([(x + 40, at), (x + width, at)], 0, class_="grid")
    for tick in _ticks(most_x):
        at = place(tick, 0)[0]
        yield svg.text(at, y + height + 15, f"{tick:g}", SIZE - 1, text_anchor="middle")
    at = place(0, side)[1]
    yield svg.line([(x + 40, at), (x + width, at)], 0, class_="limit")
    yield svg.text(x + width, at - 4, f"image, {count(side)}", SIZE - 1, text_anchor="end", class_="faint")
    yield svg.line([place(at, float(value)) for at, value in sorted(points.items())], 0, class_="growth")
    for number, seen in enumerate(stages):
        cx, cy = place(depths[seen.node], float(max(seen.field.size)))
        yield svg.element("circle", cx=cx, cy=cy, r=4.0, fill=_color(number, len(stages)))


def _depths(graph: Graph) -> list[int]:
    """For each layer the largest number of weight layers on a way to it."""
    found: list[int] = []
    for node in graph.nodes:
        found.append(max((found[i] for i in node.inputs), default=0) + weight_layers(node))
    return found


def _ticks(most: float) -> list[float]:
    """About five round numbers from 0 to `most`."""
    step = 10.0 ** math.floor(math.log10(most / TICKS)) if most > TICKS else 1.0
    factor = next(each for each in (1, 2, 5, 10) if most / (step * each) <= TICKS + 1)
    return [step * factor * number for number in range(int(most / (step * factor)) + 1)]
