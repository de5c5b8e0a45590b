"""The styles of drawings: one module each, imported when it is used.

The module of a style has `draw(graphs, **options) -> Drawing`, whose keyword options the style declares here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.diagnostics import did_you_mean, fail, listed
from archspec.graph.compile.inference import one_input

if TYPE_CHECKING:
    from archspec.drawings.drawing import Drawing
    from archspec.graph.ir import Graph


class Caption(NamedTuple):
    """What a spec says of a network, for styles that write it down."""

    family: str
    """The name of the spec: `vgg`."""
    variant: str | None
    default: bool
    """Whether it is the default variant of the spec."""
    layers: tuple[str, ...]
    """The names that the spec gives to layers at the top level."""


@dataclass(frozen=True)
class Style:
    """A style of drawing."""

    module: str
    """`draw(graphs, **options)` in `archspec.drawings`."""
    description: str
    """One sentence for the help."""
    options: tuple[str, ...] = ()
    """The options of `archspec.draw` that it has."""
    suffixes: tuple[str, ...] = (".svg", ".png", ".pdf")
    """Suffixes of the files that it can write."""
    most: int | None = 1
    """How many networks it draws at most; None for any number."""
    variants: bool = False
    """Whether a family without a variant stands for all its variants."""
    captions: bool = False
    """Whether `draw` takes `captions`, one for each graph."""
    inputs: int | None = 1
    """How many inputs a network may have at most; None for any number."""


STYLES: Mapping[str, Style] = {
    "graph": Style(
        "graph.style",
        "Layers and their edges, with repeated blocks folded.",
        ("depth", "unfold", "direction", "show"),
        (".svg", ".png", ".pdf", ".html"),
        inputs=None,
    ),
    "table": Style(
        "table.style",
        "The table of the paper: configurations, stages, modules or layers.",
        suffixes=(".svg", ".png", ".pdf", ".md", ".tex", ".html", ".txt"),
        most=None,
        variants=True,
        captions=True,
    ),
    "volumes": Style(
        "volumes.style",
        "Feature maps as boxes in proportion, as in the figures of LeNet and AlexNet.",
        ("log",),
        captions=True,
    ),
    "columns": Style(
        "columns",
        "Networks side by side, aligned by output size, as in the figure of ResNet.",
        most=None,
        captions=True,
    ),
    "receptive-field": Style(
        "receptive_field",
        "What units see of the image, and how it grows with depth.",
        ("layer", "image"),
    ),
    "cost": Style(
        "cost",
        "Parameters, MACs and memory of each stage as bars.",
        ("depth",),
        inputs=None,
    ),
}
"""Name -> style; the first one is the default."""


def draw(style: str, graphs: Sequence[Graph], options: Mapping[str, Any], captions: Sequence[Caption] = ()) -> Drawing:
    """Draw networks in a style. Options that are None are left out.

    Raises:
        ArchspecError: `unknown-style`, `draw-option` for an option or a number of networks that the style does not
            have, and the errors of the style.
    """
    found = find_style(style)
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in found.options:
            having = [f"`{each}`" for each, other in STYLES.items() if name in other.options]
            raise fail(
                "draw-option",
                f"the style `{style}` has no option `{name}`",
                help=f"leave it out, or choose the style {' or '.join(having)}",
            )
    if found.most is not None and len(graphs) > found.most:
        several = [f"`{each}`" for each, other in STYLES.items() if other.most is None]
        raise fail(
            "draw-option",
            f"the style `{style}` draws one network, but {len(graphs)} are given",
            help="draw them one by one" + (f", or choose the style {' or '.join(several)}" if several else ""),
        )
    for graph in graphs if found.inputs else ():
        one_input(graph, f"the style `{style}`")
    function: Callable[..., Drawing] = import_module(f"archspec.drawings.{found.module}").draw
    return function(graphs, **given, **({"captions": captions} if found.captions else {}))


def find_style(name: str) -> Style:
    """The style of that name. Raises ArchspecError: `unknown-style`."""
    if name in STYLES:
        return STYLES[name]
    near = did_you_mean(name, STYLES)
    raise fail(
        "unknown-style",
        f"there is no style `{name}`",
        notes=[] if near else [f"the styles are: {listed(list(STYLES))}"],
        help=near,
    )
