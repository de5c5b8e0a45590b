"""The HTML page of a drawing: one file, which reads nothing else, with the tree, the grids and the facts as JSON.

Python writes what is hard to compute, the grids, and the drawing in its first state. The scripts add up sizes, as
`geometry` does, and render what is visible.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from archspec.declare import arguments
from archspec.drawings.font import WIDTHS
from archspec.drawings.graph import geometry
from archspec.drawings.graph.geometry import Layout, relative_nets
from archspec.drawings.graph.grid import PITCH, Grid
from archspec.drawings.graph.labels import box_label, shape_label
from archspec.drawings.graph.tree import Block
from archspec.drawings.palette import DARK, LIGHT, family, variables
from archspec.drawings.svg import escaped, number
from archspec.graph.analysis.receptive_field import ReceptiveField, receptive_fields
from archspec.graph.analysis.summary import axes
from archspec.graph.ir import Node
from archspec.ops.base import show as show_shape

LAYER, BLOCK, STACK, REPEAT = range(4)
CONSTANTS = ("BOX", "NARROWEST", "LINE", "PADDING", "HEADER", "GAP", "LANE", "TRACK", "ARROW", "STUB", "LABEL")
"""The constants of `geometry` that the scripts read, besides the sizes of the fonts."""
SIZES = ("kernel_size", "pool_size")


def html(layout: Layout, root: Block, drawing: str, width: float, height: float) -> str:
    """The page of a layout; `drawing` is the markup of its first state."""
    graph = layout.graph
    style = (
        f":root{{{variables(LIGHT, 'light')}}}@media(prefers-color-scheme:dark){{:root{{{variables(DARK, 'dark')}}}}}"
    )
    style += (
        f":root[data-theme=light]{{{variables(LIGHT, 'light')}}}:root[data-theme=dark]{{{variables(DARK, 'dark')}}}"
    )
    style += "".join(f".f-{name}{{fill:var(--{name});stroke:var(--{name}-line)}}" for name in LIGHT.families)
    return Template(_file("page.html")).substitute(
        title=escaped(graph.name),
        totals=layout.totals(),
        style=style + _file("page.css"),
        figures="true" if layout.show else "false",
        box=f"0 0 {number(width)} {number(height)}",
        drawing=drawing,
        data=json.dumps(PageEncoder(layout).data(root), ensure_ascii=False, separators=(",", ":")).replace(
            "<", "\\u003c"
        ),
        script="".join(_file(name) for name in ("layout.js", "render.js", "viewer.js")),
    )


@cache
def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


class UniqueValues:
    """Values without repetition, and their places."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}

    def place(self, value: Any) -> int:
        return self._places.setdefault(value, len(self._places))

    def values(self) -> list[Any]:
        return list(self._places)


class PageEncoder:
    """Encodes a tree. Labels, facts, receptive fields and grids that occur often are written once."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.graph = layout, layout.graph
        self.strings, self.facts, self.fields, self.nets = (
            UniqueValues(),
            UniqueValues(),
            UniqueValues(),
            UniqueValues(),
        )
        self.fields_of = receptive_fields(self.graph)
        self.read = {net for node in self.graph.nodes for net in node.inputs}

    def data(self, root: Block) -> dict[str, Any]:
        """All that the scripts read."""
        tree = self.block(root, "")
        grids = [grid_json(self.layout.shared_grid(nets)) for nets in self.nets.values()]
        constants: dict[str, Any] = {name.lower(): getattr(geometry, name) for name in CONSTANTS}
        constants |= {"font": geometry.FONT, "small": geometry.SMALL, "most_text": geometry.MOST_TEXT}
        constants |= {"stack_gap": geometry.STACK_GAP, "pitch": PITCH, "widths": WIDTHS}
        keys = ("family", "op", "shape", "weights", "params", "macs", "bytes")
        return {
            "name": self.graph.name,
            "down": self.layout.down,
            "show": list(self.layout.show),
            "constants": constants,
            "strings": self.strings.values(),
            "facts": [dict(zip(keys, facts, strict=True)) for facts in self.facts.values()],
            "fields": self.fields.values(),
            "lines": spec_lines(self.graph.nodes),
            "grids": grids,
            "tree": tree,
        }

    def block(self, block: Block, above: str) -> list[Any]:
        """A block as the scripts decode it; `above` is the path of the block around it."""
        kept = 0
        while kept < min(len(above), len(block.path)) and above[kept] == block.path[kept]:
            kept += 1
        kind = LAYER if block.is_layer else REPEAT if block.is_repeat else STACK if block.is_stack else BLOCK
        label = self.strings.place(box_label(self.graph, block))
        suffix = self.strings.place(block.path[kept:])
        common = [kind, label, kept, suffix, [block.start - net for net in block.inputs]]
        if block.is_layer:
            node = self.graph.nodes[block.start]
            field = self.fields.place(field_text(self.fields_of[block.start]))
            return [*common, self.facts.place(facts_of(node)), field, node.span.line, int(block.start in self.read)]
        views = ("all", "first") if block.is_repeat else ("all",)
        grids = [self.nets.place(relative_nets(block, view)) for view in views]
        state = (2 if block.is_repeat and self.layout.view.unfold else 1) if self.layout.view.is_open(block) else 0
        children = [self.block(child, block.path) for child in block.children]
        return [*common, [net - block.start for net in block.outputs], grids, state, children]


def facts_of(node: Node) -> tuple[Any, ...]:
    """What the details of a layer show."""
    weights = ", ".join(f"{weight.name} {show_shape(weight.shape)}" for weight in node.facts.weights)
    if node.shared:
        weights = f"those of {node.shared}"
    return (
        family(node.op),
        operator_text(node),
        shape_label(node.shape),
        weights,
        node.facts.params,
        node.facts.macs,
        node.activation_bytes,
    )


def operator_text(node: Node) -> str:
    """The operator with its size and the arguments that are not its defaults: `conv(filters=64, kernel_size=3)`."""
    if not node.op.name:
        return "input"
    given = [(each.name, getattr(node.op, each.name), each.default) for each in arguments(type(node.op))]
    shown = ", ".join(f"{name}={value}" for name, value, default in given if value != default or name in SIZES)
    return f"{node.op.name}({shown})"


def field_text(field: ReceptiveField | None) -> str:
    """`11 pixels, stride 4, from -5`; empty for a network on vectors."""
    if field is None or not field.size:
        return ""
    return f"{axes(field.size)} pixels, stride {axes(field.stride)}, from {axes(field.offset)}"


def spec_lines(nodes: Sequence[Node]) -> dict[int, str]:
    """The lines of the spec that layers come from."""
    return {node.span.line: node.span.source.line(node.span.line).strip() for node in nodes}


def grid_json(grid: Grid) -> dict[str, Any]:
    """A grid as the scripts read it."""
    return {
        "rows": grid.rows,
        "channels": [
            [[wire.net, *wire.above, wire.track, [part for end in wire.below for part in end]] for wire in channel]
            for channel in grid.channels
        ],
        "tracks": grid.tracks,
        "columns": grid.columns,
        "trunk": grid.trunk,
        "in": grid.ports_in,
        "out": grid.ports_out,
    }
