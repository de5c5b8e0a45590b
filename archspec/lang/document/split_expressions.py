"""Expressions split at a comma by YAML: `{filters: $(min(a, b))}` without quotes is two entries.

The first part is reported as an error; the leftovers are not.
"""

from __future__ import annotations

from typing import Any

from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode


def begins(value: Any) -> bool:
    """Whether a scalar is the first part of a split expression."""
    return isinstance(value, str) and value.startswith("$(") and value.count("(") > value.count(")")


def leftovers(node: Node | None) -> set[str]:
    """The keys of a mapping, or items of a list, that are the rest of a split expression."""
    if isinstance(node, MappingNode):
        values, words = [value for _, value in node], list(node.entries)
    elif isinstance(node, SequenceNode):
        values = list(node.items)
        words = [item.text for item in values if isinstance(item, ScalarNode)]
    else:
        return set()
    if not any(isinstance(value, ScalarNode) and begins(value.value) for value in values):
        return set()
    return {word for word in words if word.count(")") > word.count("(")}
