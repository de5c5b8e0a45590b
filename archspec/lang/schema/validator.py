"""A validator for JSON Schema (draft-07) that reports every mistake with its path in one pass.

It needs two stack frames per level of nesting. The package jsonschema exhausts the stack on a spec of 64 levels and
takes ten times as long. The tests compare the results of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

Path = tuple[str | int, ...]

MAX_MISTAKES = 100


class Mistake(NamedTuple):
    """A violated keyword, its value in the schema, and the value at the path."""

    rule: str
    asked: Any
    value: Any
    schema: Mapping[str, Any]
    path: Path

    @property
    def known(self) -> list[str]:
        """The keys that the schema lists."""
        return list(self.schema.get("properties", {}))


def mistakes(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> list[Mistake]:
    """The mistakes of a value of dicts, lists and scalars, up to MAX_MISTAKES; `root` holds the definitions."""
    found: list[Mistake] = []
    _check(value, schema, (), found, schema if root is None else root)
    return found


def _check(value: Any, schema: Any, path: Path, found: list[Mistake], root: Mapping[str, Any]) -> None:
    while "$ref" in schema:  # other keywords next to it are ignored in draft-07
        schema = root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
    for rule, asked in schema.items():
        if rule in _ANNOTATIONS:
            continue
        breaks = _RULES.get(rule)
        if breaks is not None:
            if breaks(value, asked):
                found.append(Mistake(rule, asked, value, schema, path))
        elif rule == "if":
            branch = schema.get("then" if fits(value, asked, root) else "else")
            if branch is not None:
                _check(value, branch, path, found, root)
        elif rule in _COMBINED:
            parts = asked if isinstance(asked, list) else [asked]
            if not _COMBINED[rule](sum(fits(value, each, root) for each in parts), len(parts)):
                found.append(Mistake(rule, asked, value, schema, path))
        else:
            raise ValueError(f"the keyword `{rule}` of JSON Schema is not supported")
    if isinstance(value, dict):
        _check_mapping(value, schema, path, found, root)
    elif isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            if len(found) >= MAX_MISTAKES:
                break
            _check(item, schema["items"], (*path, i), found, root)


def _check_mapping(
    value: dict[str, Any], schema: Mapping[str, Any], path: Path, found: list[Mistake], root: Mapping[str, Any]
) -> None:
    for name in schema.get("required", ()):
        if name not in value:
            found.append(Mistake("required", name, value, schema, path))
    for name, others in schema.get("dependencies", {}).items():
        if name in value and not all(other in value for other in others):
            found.append(Mistake("dependencies", others, value, schema, path))
    if "propertyNames" in schema:
        wrong: list[Mistake] = []
        for name in value:
            _check(name, schema["propertyNames"], path, wrong, root)
        found += [each._replace(rule="propertyNames") for each in wrong]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if others is False and not value.keys() <= properties.keys():
        found.append(Mistake("additionalProperties", False, value, schema, path))
    for name, each in value.items():
        inner = properties.get(name, others)
        if not isinstance(inner, bool):
            _check(each, inner, (*path, name), found, root)


def fits(value: Any, schema: Any, root: Mapping[str, Any] = {}) -> bool:
    """Whether there are no mistakes in a value."""
    if schema.keys() <= _RULES.keys():  # most conditions of `if` are one or two of these
        return not any(_RULES[rule](value, asked) for rule, asked in schema.items())
    found: list[Mistake] = []
    _check(value, schema, (), found, root)
    return not found


# ---- keywords ------------------------------------------------------------------------------------------------------


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_number(value) and (isinstance(value, int) or value.is_integer()),
    "number": is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _of_no_type(value: Any, types: Any) -> bool:
    if isinstance(types, str):
        return not _TYPES[types](value)
    return not any(_TYPES[each](value) for each in types)


def _of_none(value: Any, choices: Any) -> bool:
    if isinstance(value, str):
        return value not in choices
    return not any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in choices)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """The compiled pattern. A final `$` means the end of the text; in Python a line end could follow."""
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", text))


_RULES: dict[str, Callable[[Any, Any], bool]] = {
    "type": _of_no_type,
    "enum": _of_none,
    "const": lambda value, only: _of_none(value, [only]),
    "minimum": lambda value, bound: is_number(value) and value < bound,
    "maximum": lambda value, bound: is_number(value) and value > bound,
    "exclusiveMinimum": lambda value, bound: is_number(value) and value <= bound,
    "exclusiveMaximum": lambda value, bound: is_number(value) and value >= bound,
    "multipleOf": lambda value, step: is_number(value) and value % step != 0,
    "pattern": lambda value, pattern: isinstance(value, str) and not _pattern(pattern).search(value),
    "minLength": lambda value, length: isinstance(value, str) and len(value) < length,
    "maxLength": lambda value, length: isinstance(value, str) and len(value) > length,
    "minItems": lambda value, length: isinstance(value, list) and len(value) < length,
    "maxItems": lambda value, length: isinstance(value, list) and len(value) > length,
    "minProperties": lambda value, length: isinstance(value, dict) and len(value) < length,
    "maxProperties": lambda value, length: isinstance(value, dict) and len(value) > length,
}
"""Keyword -> whether a value violates it."""

_COMBINED: dict[str, Callable[[int, int], bool]] = {
    "allOf": lambda fitting, number: fitting == number,
    "anyOf": lambda fitting, number: fitting > 0,
    "oneOf": lambda fitting, number: fitting == 1,
    "not": lambda fitting, number: fitting == 0,
}

_ANNOTATIONS = {
    *("$schema", "title", "description", "default", "examples", "definitions"),
    *("then", "else", "properties", "additionalProperties", "propertyNames", "required", "dependencies", "items"),
}
"""Keywords that are not checked separately; those on the second line are checked with others."""
