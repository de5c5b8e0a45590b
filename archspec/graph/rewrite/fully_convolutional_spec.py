"""The spec of a dense network: a decompiled graph with the preprocessing and the test protocol of the original."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace

from archspec.declare import Declared, thaw
from archspec.graph.decompile import Decompiled, decompile
from archspec.graph.ir import Graph
from archspec.graph.rewrite.fully_convolutional import convolutionalize
from archspec.graph.rewrite.padding_effects import dense_effects
from archspec.lang.spec.resolve import as_yaml
from archspec.ops.base import show

WIDTH = 110


def fully_convolutional_spec(
    graph: Graph, *, output: str, preprocess: Sequence[Declared] = (), resize: int | None = None
) -> tuple[Graph, Decompiled]:
    """The dense graph, whose paths are the original's, and its spec.

    Raises ArchspecError: those of `convolutionalize`.
    """
    dense = convolutionalize(graph, output=output)
    lines = [
        f"`{graph.name}`, trained on {show(graph.input_shape)}, for images of any size: `archspec convolutionalize`.",
        *(f"Differs from it in {effect}." for effect in dense_effects(graph, dense)),
    ]
    comment = "\n".join(part for line in lines for part in textwrap.wrap(line, WIDTH))
    found = decompile(dense, dense.name, comment)
    sections: dict[str, object] = {}
    if preprocess:
        sections["preprocess"] = [
            {each.name: {name: thaw(value) for name, value in vars(each).items() if value is not None}}
            for each in preprocess
        ]
    if len(graph.input_shape) == 3:
        sections["evaluate"] = {"resize": smallest_side(graph, resize)}
    text = found.text + ("\n" + as_yaml(sections) if sections else "")
    return dense, replace(found, text=text)


def smallest_side(graph: Graph, resize: int | None) -> int:
    """What images are resized to: `resize`, and at least the window of the dense network, pixels."""
    return max(resize or 0, *(size or 0 for size in graph.input_shape[:-1]))
