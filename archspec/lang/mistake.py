"""An error of the JSON Schema, and what in the language its path points at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError

from archspec.declare import Declared, arguments
from archspec.lang import source
from archspec.lang.recipe import OPTIMIZERS, SCHEDULES
from archspec.ops import OPS
from archspec.transforms import TRANSFORMS

Path = Sequence[str | int]
HEADS: Mapping[str, type[Declared]] = {**OPTIMIZERS, **SCHEDULES, **TRANSFORMS, **OPS}


@dataclass(frozen=True)
class Mistake:
    """An error of the schema: the keyword that was broken, what it asks for, and the value at the path."""

    rule: str
    asked: Any
    value: Any
    schema: Mapping[str, Any]
    path: Path

    @property
    def known(self) -> list[str]:
        """The keys that the schema knows."""
        return list(self.schema.get("properties", {}))

    @property
    def word(self) -> str | None:
        """The nearest key above, the word that the reader sees in the source."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), None)

    @property
    def owner(self) -> str | None:
        """The head whose value this is: `conv` for what stands right after `conv:`."""
        name, at = self._head()
        return name if at == len(self.path) else None

    @property
    def subject(self) -> str:
        """What it is about: `filters` of `conv`, an item of `input`."""
        name, at = self._head()
        rest = self.path[at:]
        names = [argument.name for argument in arguments(HEADS[name])] if name else []
        if name and not rest and names:
            subject = f"`{names[0]}` of `{name}`"  # a bare value
        elif name and rest and rest[0] in names:
            subject = f"`{rest[0]}` of `{name}`"
        else:
            subject = f"`{self.word}`" if self.word else "the page"
        return f"an item of {subject}" if self.path and isinstance(self.path[-1], int) else subject

    def _head(self) -> tuple[str | None, int]:
        """The last head in the path and how far it reaches: a word after an item's index, `optimizer` or `schedule`."""
        for at in range(len(self.path) - 1, 0, -1):
            word, before = self.path[at], self.path[at - 1]
            item = isinstance(before, int) or before in ("optimizer", "schedule")
            if item and isinstance(word, str) and word in HEADS:
                return word, at + 1
        return None, 0


def mistake(error: ValidationError, *within: str | int) -> Mistake:
    """The error, at a path `within` the page."""
    path = [*within, *error.absolute_path]
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    of_a_key = "propertyNames" in list(error.relative_schema_path)[-2:]
    rule = "propertyNames" if of_a_key else str(error.validator)
    return Mistake(rule, error.validator_value, error.instance, schema, path)


def find(document: source.Mapping, path: Path) -> tuple[list[source.Node], source.Scalar | None]:
    """The nodes along a path, and the key under which the last stands if it stands under one."""
    nodes: list[source.Node] = [document]
    key = None
    for part in path:
        key, node = None, nodes[-1]
        if isinstance(node, source.Mapping):
            key, node = node.entries[str(part)]
        elif isinstance(node, source.Sequence):
            node = node.items[int(part)]
        nodes.append(node)
    return nodes, key
