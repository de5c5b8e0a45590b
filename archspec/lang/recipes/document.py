"""A recipe in a separate file, with the same errors as `train:` of a spec."""

from __future__ import annotations

from archspec.diagnostics import Source, fail
from archspec.lang.document.nodes import MappingNode, ScalarNode
from archspec.lang.document.yaml_parser import parse_document

SPEC_KEYS = ("name", "input", "layers")


def parse_recipe(text: Source) -> MappingNode:
    """A document with the recipe under `train`, as in a spec; in the file the key `train` may be left out.

    Raises ArchspecError: those of `parse_document`, and `not-a-recipe` for a whole spec.
    """
    root = parse_document(text, "recipe", "a recipe is a mapping such as `epochs: 90` and `optimizer: {sgd: 0.1}`")
    if set(SPEC_KEYS) <= set(root.entries):
        fact = f"`{text.name}` is a spec, not a recipe"
        raise fail(
            "not-a-recipe", fact, root.span.first(1), help="give a file with the keys of `train:` at its top level"
        )
    if set(root.entries) == {"train"}:
        return root
    return MappingNode({"train": (ScalarNode("train", "train", root.span), root)}, root.span)
