"""How declarations (operators, transforms, optimizers, ...) appear in a spec: as JSON Schema and in the one-key form.

In the JSON Schema (draft-07) one mistake gives one error: the fragments discriminate on the head with `properties` and
`if`/`then`, never with `oneOf`. Every argument may be an expression instead.

A field of a section (`train:`, `evaluate:`, `warmup:`) is declared once, by `arg`: its form, its meaning, its default,
and how a summary names it. The schema, the reference, reading, writing and summaries derive from that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from archspec.declare import Argument, Declared, Schema, arguments, freeze

Json = dict[str, Any]

NAME = "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"
TITLE = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,159}$"
VARIANT = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
PATH = "^[A-Za-z0-9_][A-Za-z0-9_/-]*$"
IDENTIFIER = "^[A-Za-z_][A-Za-z0-9_]{0,63}$"
EXPRESSION: Json = {"type": "string", "pattern": "^\\$"}
LAYERS: Json = {"$ref": "#/definitions/layers"}


class Properties(Mapping[str, Json]):
    """`properties` of JSON Schema: `fixed`, and `names` whose schemas are made when they are looked up.

    A spec uses few of the operators. The mapping follows a registry that grows.
    """

    def __init__(self, names: Collection[str], make: Callable[[str], Json], fixed: Mapping[str, Json] = {}) -> None:
        self.names, self.make, self.fixed = names, cache(make), fixed

    def __getitem__(self, name: str) -> Json:
        if name in self.fixed:
            return self.fixed[name]
        if name in self.names:
            return self.make(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self.fixed or name in self.names

    def __iter__(self) -> Iterator[str]:
        return chain(self.fixed, self.names)

    def __len__(self) -> int:
        return len(self.fixed) + len(self.names)


class BareNames(Sequence[str]):
    """The names of a family that need no arguments, for `enum` of JSON Schema.

    `in` looks up one declaration only, because a registry imports the module of a name when it is looked up.
    """

    def __init__(self, family: Mapping[str, type[Declared]]) -> None:
        self.family = family

    def __contains__(self, name: object) -> bool:
        return name in self.family and not any(each.required for each in arguments(self.family[str(name)]))

    def __getitem__(self, index: Any) -> Any:
        return [name for name in self.family if name in self][index]

    def __len__(self) -> int:
        return sum(name in self for name in self.family)


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


REPEAT: Json = {
    **or_expression({"type": "integer", "minimum": 0}),
    "description": "number of copies, each reading the one before; 0 leaves the layer out",
}
WHEN: Json = {**or_expression({"type": "boolean"}), "description": "keep this layer only if the expression is true"}
BRANCH: Json = {
    "description": "a list of layers, or {repeat: number of copies, when: whether to keep it, layers: [...]}",
    "if": {"type": "object"},
    "then": {
        "required": ["layers"],
        "additionalProperties": False,
        "properties": {
            "repeat": {**REPEAT, "description": "number of copies of the branch, side by side; `$copy` is the number"},
            "when": {**WHEN, "description": "keep the branch only if the expression is true"},
            "layers": {**LAYERS, "description": "the layers of the branch"},
        },
    },
    "else": LAYERS,
}


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
        "additionalProperties": BRANCH if branches else False,
    }
    if branches:
        mapping["propertyNames"] = {"pattern": NAME}
    if required:
        mapping["required"] = required
    if not given:
        bare: Json = {"type": ["null", "object"]}
    elif any(argument.required for argument in given[1:]):
        bare = {"type": "object"}  # a bare value sets the first argument only
    elif required:
        bare = with_expressions(given[0].schema)
    else:
        bare = {"if": {"type": "null"}, "else": with_expressions(given[0].schema)}
    return {"description": summary(declared), "if": {"type": "object"}, "then": mapping, "else": bare}


def one_key(declared: Mapping[str, type[Declared]]) -> Json:
    """`cosine` or `{cosine: {...}}`: exactly one of the declared names, alone only if it needs no arguments."""
    return {
        "if": {"type": "string"},
        "then": {"enum": BareNames(declared)},
        "else": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": Properties(declared, lambda name: head(declared[name])),
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
    """A declaration as written in a spec, without defaults: `conv: {filters: 64, kernel_size: 3}`."""
    given = [
        f"{argument.name}: {default_text(value)}"
        for argument in arguments(type(declared))
        if (value := getattr(declared, argument.name)) != argument.default
    ]
    return f"{declared.name}: {{{', '.join(given)}}}" if given else declared.name


def default_text(value: Any) -> str:
    """A default as written in a spec."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(default_text, value))}]"
    return value.name if isinstance(value, Declared) else str(value)


# ---- one key: `sgd`, `{sgd: 0.1}` or `{sgd: {learning_rate: 0.1}}` -----------------------------------------------


def to_one_key(declared: Declared) -> dict[str, Any]:
    """{"sgd": {"learning_rate": 0.1, ...}}, with every argument."""
    return {declared.name: asdict(declared)}  # type: ignore[call-overload]


def from_one_key(value: Any, declared: Mapping[str, type[Declared]]) -> Any:
    """The declaration that a validated value names; a bare value is the first argument."""
    if isinstance(value, str):
        return declared[value].make({})
    ((name, given),) = value.items()
    if not isinstance(given, Mapping):
        given = {} if given is None else {arguments(declared[name])[0].name: given}
    return declared[name].make(given)


# ---- sections ------------------------------------------------------------------------------------------------------

T = TypeVar("T")
Family = Mapping[str, type[Declared]]


class Form(NamedTuple):
    """How a structured value is written in a spec."""

    schema: Callable[[], Json]
    """JSON Schema."""
    read: Callable[[Any], Any]
    """From a validated value."""
    write: Callable[[Any], Any]
    """To plain values again, with every default."""
    section: type[Any] | None = None
    """The dataclass of a section inside the section."""
    family: Family | None = None
    """What one declaration in the one-key form is chosen from."""


def form(schema: Callable[[], Json], read: Callable[[Any], Any], write: Callable[[Any], Any]) -> Schema:
    """The first argument of `arg` for a value of some other form."""
    return {"form": Form(schema, read, write)}


def one_of(family: Family) -> Schema:
    """The first argument of `arg` for one declaration in the one-key form: `cosine`, `{cosine: {alpha: 0.1}}`."""
    return {"form": Form(lambda: one_key(family), lambda value: from_one_key(value, family), to_one_key, family=family)}


def list_of(family: Family) -> Schema:
    """The first argument of `arg` for a list of declarations in the one-key form."""

    return form(
        lambda: {"type": "array", "items": one_key(family)},
        lambda values: tuple(from_one_key(each, family) for each in values),
        lambda values: [to_one_key(each) for each in values],
    )


def optional_section(declared: type[Any], doc: str) -> Schema:
    """The first argument of `arg` for a section inside the section, or none."""

    def schema() -> Json:
        return {"if": {"type": "null"}, "else": section_schema(declared, doc)}

    return {"form": Form(schema, lambda value: read_section(declared, value), write_section, declared)}


def section_schema(declared: type[Any], doc: str) -> Json:
    """JSON Schema of a section."""
    properties: Json = {}
    for argument in arguments(declared):
        found = argument.schema.get("form")
        schema = found.schema() if found else with_expressions(argument.schema)
        properties[argument.name] = {**schema, "description": describe(argument)}
    return {"description": doc, "type": "object", "properties": properties, "additionalProperties": False}


def read_section(declared: type[T], section: Mapping[str, Any]) -> T:
    """A validated section as its dataclass, with the defaults; null stands for the default."""
    forms = _forms(declared)
    given = {name: value for name, value in section.items() if value is not None}
    return declared(
        **{name: each.read(given[name]) if (each := forms[name]) else freeze(given[name]) for name in given}
    )


def write_section(section: Any) -> dict[str, Any]:
    """The section as written in a spec, with every default. `read_section` reads it again."""
    written = {}
    for name, found in _forms(type(section)).items():
        value = getattr(section, name)
        written[name] = found.write(value) if found and value is not None else value
    return written


def sections_inside(declared: type[Any]) -> dict[str, type[Any]]:
    """The fields of a section that are sections themselves."""
    return {name: each.section for name, each in _forms(declared).items() if each and each.section}


def one_key_fields(declared: type[Any]) -> dict[str, Family]:
    """The fields with one declaration in the one-key form, and the declarations to choose from."""
    return {name: each.family for name, each in _forms(declared).items() if each and each.family}


def _forms(declared: type[Any]) -> dict[str, Form | None]:
    return {each.name: each.schema.get("form") for each in arguments(declared)}


def summaries(section: Any) -> Iterator[str]:
    """Short descriptions of the fields that are set, in declaration order: `weight decay 0.0005`."""
    for field in fields(section):
        summary, value = field.metadata["summary"], getattr(section, field.name)
        text = (summary.format(value) if isinstance(summary, str) else summary(value)) if summary and value else ""
        if text:
            yield text
