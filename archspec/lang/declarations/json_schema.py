"""JSON Schema (draft-07) of declarations: operators, transforms, recipes.

One mistake gives one error: the fragments discriminate on the head with `properties` and `if`/`then`, never with
`oneOf`. Every argument may be an expression instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.declare import Argument, Declared, arguments

Json = dict[str, Any]

NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"
TITLE = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,159}$"
VARIANT = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
PATH = "^[A-Za-z0-9_][A-Za-z0-9_/-]*$"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]{0,63}$"
EXPRESSION: Json = {"type": "string", "pattern": "^\\$"}
LAYERS: Json = {"$ref": "#/definitions/layers"}


def or_expression(fragment: Mapping[str, Any]) -> Json:
    """The fragment, or an expression instead."""
    return {"if": EXPRESSION, "else": dict(fragment)}


def with_expressions(fragment: Mapping[str, Any]) -> Json:
    """The fragment, or an expression instead of the value or of a list item."""
    inner = dict(fragment)
    if isinstance(inner.get("items"), Mapping):
        inner["items"] = with_expressions(inner["items"])
    for key in ("then", "else"):
        if isinstance(inner.get(key), Mapping) and "items" in inner[key]:
            inner[key] = {**inner[key], "items": with_expressions(inner[key]["items"])}
    return or_expression(inner)


def head(declared: type[Declared], *, branches: bool = False) -> Json:
    """The value after a name: a mapping of arguments, the first argument as a bare value, or nothing.

    `branches`: for a merge, whose other keys are named lists of layers.
    """
    given = arguments(declared)
    required = [argument.name for argument in given if argument.required]
    mapping: Json = {
        "properties": {
            argument.name: {"description": describe(argument), **with_expressions(argument.schema)}
            for argument in given
        },
        "additionalProperties": LAYERS if branches else False,
    }
    if branches:
        mapping["propertyNames"] = {"pattern": NAME}
    if required:
        mapping["required"] = required
    if not given:
        bare: Json = {"type": ["null", "object"]}
    elif required:
        bare = with_expressions(given[0].schema)
    else:
        bare = {"if": {"type": "null"}, "else": with_expressions(given[0].schema)}
    return {"description": summary(declared), "if": {"type": "object"}, "then": mapping, "else": bare}


def one_key(declared: Mapping[str, type[Declared]]) -> Json:
    """`cosine` or `{cosine: {...}}`: exactly one of the declared names."""
    return {
        "if": {"type": "string"},
        "then": {"enum": list(declared)},
        "else": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {name: head(each) for name, each in declared.items()},
            "additionalProperties": False,
        },
    }


def summary(declared: type[Any]) -> str:
    """The first line of the docstring."""
    return (declared.__doc__ or "").strip().split("\n")[0]


def describe(argument: Argument) -> str:
    """The meaning of an argument, and its default."""
    return f"{argument.doc} ({'required' if argument.required else f'default: {default_text(argument.default)}'})"


def declared_text(declared: Declared) -> str:
    """A declaration as a spec would say it, without defaults: `conv: {filters: 64, kernel_size: 3}`."""
    given = [
        f"{argument.name}: {default_text(value)}"
        for argument in arguments(type(declared))
        if (value := getattr(declared, argument.name)) != argument.default
    ]
    return f"{declared.name}: {{{', '.join(given)}}}" if given else declared.name


def default_text(value: Any) -> str:
    """A default as a spec would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(default_text, value))}]"
    return value.name if isinstance(value, Declared) else str(value)
