"""A recipe in a file of its own: what stands under `train:` in a page, with the same places and the same errors."""

from __future__ import annotations

from archspec.diagnostics import Source, fail
from archspec.lang.document.nodes import MappingNode, ScalarNode
from archspec.lang.document.yaml_parser import parse_document

OF_A_PAGE = ("name", "input", "layers")


def parse_recipe(text: Source) -> MappingNode:
    """A document with the recipe under `train`, where a page has it; the file may begin with `train:` or leave it out.

    Raises ArchspecError: what `parse_document` raises, and not-a-recipe for a whole page.
    """
    root = parse_document(text, "recipe", "a recipe is a mapping such as `epochs: 90` and `optimizer: {sgd: 0.1}`")
    if set(OF_A_PAGE) <= set(root.entries):
        fact = f"`{text.name}` is a page, and a recipe is asked for"
        raise fail("not-a-recipe", fact, root.span.first(1), help="give a file with what stands under its `train:`")
    if set(root.entries) == {"train"}:
        return root
    return MappingNode({"train": (ScalarNode("train", "train", root.span), root)}, root.span)
