"""From a path in the JSON Schema to the operator, argument or key that it points at."""

from __future__ import annotations

from archspec.declare import Declared, arguments
from archspec.lang.document.nodes import MappingNode, Node, ScalarNode, SequenceNode
from archspec.lang.recipes.recipe import ONE_KEY
from archspec.lang.schema.validator import Path
from archspec.ops import OPS
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS

RECIPES = {name: each for family in ONE_KEY.values() for name, each in family.items()}


def heads() -> dict[str, type[Declared]]:
    """Every declaration by name, including those of loaded plugins."""
    return {**PROTOCOLS, **RECIPES, **TRANSFORMS, **OPS}


def word(path: Path) -> str | None:
    """The last key of the path."""
    return next((part for part in reversed(path) if isinstance(part, str)), None)


def owner(path: Path) -> str | None:
    """The declaration whose value the path points at: `conv` for the value of `conv:`."""
    name, at = _head(path)
    return name if at == len(path) else None


def subject(path: Path) -> str:
    """The subject of an error message: `filters` of `conv`, an item of `input`."""
    name, at = _head(path)
    rest = path[at:]
    names = [argument.name for argument in arguments(_declaration(path, name))] if name else []
    if name and not rest and names:
        about = f"`{names[0]}` of `{name}`"  # a bare value
    elif name and rest and rest[0] in names:
        about = f"`{rest[0]}` of `{name}`"
    else:
        about = f"`{word(path)}`" if word(path) else "the spec"
    return f"an item of {about}" if path and isinstance(path[-1], int) else about


def _declaration(path: Path, name: str) -> type[Declared]:
    """The declaration of a name: `dense` is an operator in `layers` and a protocol in `evaluate`."""
    return PROTOCOLS[name] if path[0] == "evaluate" else heads()[name]


def find(document: MappingNode, path: Path) -> tuple[list[Node], ScalarNode | None]:
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


def _head(path: Path) -> tuple[str | None, int]:
    """The last declaration in a path and the position after it: a name after a list index or a key of ONE_KEY."""
    known = heads()
    for at in range(len(path) - 1, 0, -1):
        part, before = path[at], path[at - 1]
        item = isinstance(before, int) or before in ONE_KEY
        if item and isinstance(part, str) and part in known:
            return part, at + 1
    return None, 0
