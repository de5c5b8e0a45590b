"""The YAML document as a tree: every value with its place in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archspec.diagnostics import Span


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A value: None, bool, int, float or str."""

    value: Any
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Keys are text, in the order of the source: `18:` is the key "18"."""

    entries: dict[str, tuple[ScalarNode, Node]]
    span: Span

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def __iter__(self) -> Iterator[tuple[str, Node]]:
        return ((key, value) for key, (_, value) in self.entries.items())


Node = ScalarNode | SequenceNode | MappingNode


def plain(node: Node) -> Any:
    """The node as Python values: dicts, lists and scalars."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node}
