"""The style `graph`: `archspec draw REF`."""

from __future__ import annotations

from collections.abc import Sequence

from archspec.drawings import svg
from archspec.drawings.drawing import Drawing
from archspec.drawings.font import text_width
from archspec.drawings.graph.geometry import FONT, LINE, PADDING, SMALL, Layout
from archspec.drawings.graph.picture import Box, Edge, Picture, picture
from archspec.drawings.graph.tree import Tree
from archspec.drawings.graph.views import BlockView, firsts
from archspec.drawings.palette import family
from archspec.graph.ir import Graph

MARGIN = 16
PAGE = (1100, 1600)
"""Pixels across and along that fit a page of A4: at 200 mm x 290 mm, the labels of 11 pixels are 2 mm high."""
CAPTION = 30
"""Height of the name of the network above the drawing."""


def draw(
    graphs: Sequence[Graph],
    depth: int | None = None,
    unfold: bool = False,
    direction: str = "down",
    show: Sequence[str] = (),
) -> Drawing:
    """Draw the layers of one network and their edges."""
    (graph,) = graphs
    tree = Tree(graph)
    layout = chosen_layout(tree, depth, unfold, direction == "down", show)
    made = picture(layout, tree.root, MARGIN)
    caption = f"{graph.name}: {layout.totals()}"
    width = max(made.width, text_width(caption, FONT, bold=True) + 2 * MARGIN)
    elements = content(layout, made)

    def page() -> str:
        from archspec.drawings.graph.page import html

        return html(layout, tree.root, elements, made.width, made.height)

    moved = f"translate({svg.number((width - made.width) / 2)} {CAPTION})"
    drawn = svg.element("g", elements, transform=moved)
    head = svg.text(MARGIN, MARGIN + 8, caption, FONT, font_weight="bold")
    return Drawing(graph.name, head + drawn, width, made.height + CAPTION, texts={".html": page})


def chosen_layout(tree: Tree, depth: int | None, unfold: bool, down: bool, show: Sequence[str]) -> Layout:
    """The layout that the options ask for.

    Without options, everything is open if it fits a page, else as many of the `firsts` as fit.
    """

    def layout(view: BlockView) -> Layout:
        return Layout(tree.graph, view, down, show)

    def fits(found: Layout) -> bool:
        size = found.size(tree.root)
        return size.before + size.behind <= PAGE[0] and size.length <= PAGE[1]

    everything = layout(BlockView(depth, unfold))
    if depth is not None or unfold or fits(everything):
        return everything
    order = [id(block) for block in firsts(tree.root)]
    fewest, most = 1, len(order)
    while fewest < most:  # the largest number that fits
        middle = (fewest + most + 1) // 2
        if fits(layout(BlockView(only=frozenset(order[:middle])))):
            fewest = middle
        else:
            most = middle - 1
    return layout(BlockView(only=frozenset(order[:fewest])))


def content(layout: Layout, made: Picture) -> str:
    """The elements of a picture: frames, edges, boxes and labels, in this order."""
    frames = [_frame(layout, box) for box in made.boxes if box.is_frame]
    edges = [_edge(edge) for edge in made.edges]
    tips = [_tip(edge) for edge in made.edges if edge.ends_in_box]
    boxes = [_box(layout, box) for box in made.boxes if not box.is_frame]
    shapes = [
        svg.text(each.x, each.y, each.text, SMALL, class_="faint", data_net=str(each.net)) for each in made.labels
    ]
    return "".join([*frames, *edges, *tips, *boxes, *shapes])


def _frame(layout: Layout, box: Box) -> str:
    rect = svg.rect(box.x, box.y, box.width, box.height, class_="frame", rx=6)
    name = svg.text(box.x + PADDING, box.y + 12, layout.frame_title(box.block), SMALL, class_="faint")
    return svg.element("g", rect + name, class_="block", data_path=box.block.path)


def _box(layout: Layout, box: Box) -> str:
    block = box.block
    first, second = layout.texts(block)
    kind = family(layout.graph.nodes[block.start].op) if block.is_layer else "block"
    middle = box.x + box.width / 2
    y = box.y + (box.height - LINE * bool(second)) / 2 + 4
    parts = []
    if block.is_repeat:
        parts.append(svg.rect(box.x + 3, box.y + 3, box.width, box.height, class_=f"f-{kind}", rx=4))
    parts.append(svg.rect(box.x, box.y, box.width, box.height, class_=f"f-{kind}", rx=4))
    parts.append(svg.text(middle, y, first, FONT, text_anchor="middle"))
    if second:
        parts.append(svg.text(middle, y + LINE, second, SMALL, text_anchor="middle", class_="faint"))
    return svg.element("g", "".join(parts), class_="layer" if block.is_layer else "folded", data_path=block.path)


def _edge(edge: Edge) -> str:
    return svg.line(list(edge.points), class_="edge", data_net=str(edge.net))


def _tip(edge: Edge) -> str:
    (x0, y0), (x, y) = edge.points[-2:]
    if abs(y - y0) >= abs(x - x0):
        points = f"{svg.number(x - 3)},{svg.number(y - 5)} {svg.number(x + 3)},{svg.number(y - 5)}"
    else:
        points = f"{svg.number(x - 5)},{svg.number(y - 3)} {svg.number(x - 5)},{svg.number(y + 3)}"
    return svg.element("polygon", points=f"{points} {svg.number(x)},{svg.number(y)}", class_="tip")
