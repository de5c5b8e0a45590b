"""The style `volumes`: `archspec draw alexnet --style volumes`."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.drawings.drawing import Drawing
from archspec.drawings.styles import Caption
from archspec.drawings.volumes import boxes, stacks
from archspec.drawings.volumes.boxes import draw_boxes
from archspec.drawings.volumes.maps import stacked, volumes
from archspec.drawings.volumes.scale import scale_of
from archspec.drawings.volumes.stacks import draw_stacks
from archspec.graph.ir import Graph


def draw(graphs: Sequence[Graph], captions: Sequence[Caption], log: bool = False) -> Drawing:
    """Draw the feature maps of one network; with `log`, sizes are in proportion to their logarithms."""
    (graph,), (caption,) = graphs, captions
    as_stacks = stacked(graph)
    found = volumes(graph, caption.layers, pools=as_stacks)
    content, width, height = (
        draw_stacks(found, scale_of(found, log, stacks.TALLEST))
        if as_stacks
        else draw_boxes(found, scale_of(found, log, boxes.TALLEST))
    )
    return Drawing(f"{graph.name}: feature maps", content, width, height, STYLE)


STYLE = (
    ".window{fill:none;stroke:#c0392b;stroke-width:1.2}"
    ".ray{fill:none;stroke:#c0392b;stroke-width:.7;stroke-dasharray:3 2}"
    ".reads{fill:none;stroke:#afb8c1;stroke-width:.7}"
    ".upper{fill-opacity:.7}.side{fill-opacity:.45}polygon,rect{stroke-width:.8}"
    "@media (prefers-color-scheme:dark){.window,.ray{stroke:#ff7b6b}}"
)
