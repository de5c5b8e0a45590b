"""The YAML document as a tree: every value with its place in the text.

Plain scalars follow YAML 1.2, core schema (section 10.3.2): `1e-4` is a number, `on` is a string, `010` is ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archspec.diagnostics import Span


class ScalarNode(NamedTuple):
    """A value: None, bool, int, float or str."""

    value: Any
    text: str
    span: Span


class SequenceNode(NamedTuple):
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


def find(document: MappingNode, path: Sequence[str | int]) -> tuple[list[Node], ScalarNode | None]:
    """The nodes along a path, and the key of the last one if it is in a mapping."""
    nodes: list[Node] = [document]
    key = None
    for part in path:
        key, node = None, nodes[-1]
        if isinstance(node, MappingNode):
            key, node = node.entries[str(part)]
        elif isinstance(node, SequenceNode):
            node = node.items[int(part)]
        nodes.append(node)
    return nodes, key


# ---- plain scalars -------------------------------------------------------------------------------------------------


LARGEST = 10**18
"""The largest number in a spec: larger than any size, and small enough for fast arithmetic."""

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE = r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z"
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAX_DIGITS = 300  # Python refuses to parse an integer of more than 4,300 digits


class TooLargeError(ValueError):
    """A number larger than LARGEST, or too large for a float."""


def resolve(text: str) -> Any:
    """The value of a plain scalar: None, bool, int, float or str. Raises TooLargeError.

    `.inf` and `.nan` stay strings: no argument accepts them.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INTEGER.match(text):
        return _bounded(int(text) if len(text) <= _MAX_DIGITS else LARGEST + 1)
    if _FLOAT.match(text):
        return _bounded(float(text))
    if re.match(_OTHER_BASE, text):
        return _bounded(int(text, 0) if len(text) <= _MAX_DIGITS else LARGEST + 1)
    return text


def _bounded(number: float) -> float:
    if abs(number) > LARGEST:
        raise TooLargeError
    return number


# ---- split expressions: `{filters: $(min(a, b))}` without quotes is two entries; the first is reported --------------


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
