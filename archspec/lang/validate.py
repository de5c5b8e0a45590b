"""Validate a document against the JSON Schema; say each mistake in the words of the language, at its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from archspec import declare
from archspec.diagnostics import Diagnostic, Span, did_you_mean, listed
from archspec.lang import source
from archspec.lang.recipe import OPTIMIZERS, SCHEDULES
from archspec.lang.schema import MERGES, page_schema
from archspec.ops import OPS
from archspec.transforms import TRANSFORMS

DECLARED: Mapping[str, type[declare.Declared]] = {**OPTIMIZERS, **SCHEDULES, **TRANSFORMS, **OPS}


@cache
def _validator() -> Draft7Validator:
    return Draft7Validator(page_schema())


def validate(document: source.Mapping) -> list[Diagnostic]:
    """All mistakes that the schema sees, in the order of the source."""
    diagnostics = [
        diagnostic
        for error in _validator().iter_errors(source.plain(document))
        for diagnostic in _explain(error, document)
    ]
    return sorted(diagnostics, key=lambda each: (each.span.line, each.span.column) if each.span else (0, 0))


@lru_cache(maxsize=8192)
def check_value(head: str, argument: str, value: Any) -> tuple[str, str | None] | None:
    """What is wrong with the value that an expression gave to an argument, and the remedy; None if it fits."""
    error = next(_argument_validator(head, argument).iter_errors(_thaw(value)), None)
    return None if error is None else _fact(error, argument)[1:]


@cache
def _argument_validator(head: str, argument: str) -> Draft7Validator:
    schema = next(each.schema for each in declare.arguments(OPS[head]) if each.name == argument)
    return Draft7Validator(schema)


def _thaw(value: Any) -> Any:
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value


def _explain(error: ValidationError, document: source.Mapping) -> Iterable[Diagnostic]:
    path = list(error.absolute_path)
    node, key = _find(document, path)
    if error.validator == "additionalProperties" and isinstance(node, source.Mapping):
        known = list(error.schema.get("properties", {}))
        for name, (name_key, _) in node.entries.items():
            if name not in known:
                yield _unknown(name, known, name_key.span, path)
    elif error.validator == "propertyNames" and isinstance(node, source.Mapping):
        name = str(error.instance)
        yield Diagnostic(
            "bad-name",
            f"`{name}` cannot be a name",
            node.entries[name][0].span if name in node.entries else node.span,
            help="a name has letters, digits, `_` and `-`",
        )
    elif error.validator == "required":
        missing = str(error.message).split("'")[1]
        owner = _owner(path)
        if owner in DECLARED:
            argument = next(each for each in declare.arguments(DECLARED[owner]) if each.name == missing)
            yield Diagnostic(
                "missing-argument",
                f"`{owner}` needs the argument `{missing}`",
                key.span if key else node.span,
                help=f"{missing}: {argument.doc}",
            )
        else:
            what = f"`{owner}`" if owner else "this page"
            at = key.span if key else _start(node.span)
            yield Diagnostic("missing-key", f"{what} has no `{missing}`", at, help=_example(missing))
    else:
        word = next((str(part) for part in reversed(path) if isinstance(part, str)), "the page")
        code, fact, remedy = _fact(error, word)
        owner = _owner(path)
        if owner in DECLARED and word == owner and error.instance is None:
            first = declare.arguments(DECLARED[owner])[0]
            code, fact, remedy = (
                "missing-argument",
                f"`{owner}` needs the argument `{first.name}`",
                f"write `{owner}: {{{first.name}: ...}}`",
            )
        at = key.span if key is not None and not isinstance(node, source.Scalar) else node.span
        if isinstance(node, source.Scalar) and node.text == "" and key is not None:
            at = key.span
        yield Diagnostic(code, fact, at, help=remedy)


def explain_section(error: ValidationError, section: str) -> Iterable[Diagnostic]:
    """The same for values that came from the command line, and so have no place in a file."""
    path = [section, *error.absolute_path]
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for name in error.instance:
            if name not in known:
                yield _unknown(name, known, None, path)
    elif error.validator == "required":
        yield Diagnostic("missing-key", f"`{_owner(path)}` needs `{str(error.message).split(chr(39))[1]}`")
    else:
        code, fact, remedy = _fact(error, ".".join(map(str, path)))
        yield Diagnostic(code, fact, help=remedy)


def _unknown(name: str, known: list[str], span: Span | None, path: list[Any]) -> Diagnostic:
    owner = _owner(path)
    remedy = did_you_mean(name, known)
    if owner in DECLARED:
        if not remedy:
            remedy = f"its arguments are: {listed(known)}" if known else f"`{owner}` takes no arguments"
        return Diagnostic("unknown-argument", f"`{owner}` has no argument `{name}`", span, help=remedy)
    where = f"`{owner}`" if owner else "a page"
    return Diagnostic(
        "unknown-key", f"{where} has no key `{name}`", span, help=remedy or f"its keys are: {listed(known)}"
    )


def _fact(error: ValidationError, word: str) -> tuple[str, str, str | None]:
    """Code, message and remedy of a value that does not fit."""
    value, rule = error.instance, error.validator_value
    shown = _show(value)
    match error.validator:
        case "type":
            wanted = " or ".join(_TYPES[each] for each in ([rule] if isinstance(rule, str) else rule) if each in _TYPES)
            return "wrong-type", f"`{word}` must be {wanted}, and is {shown}", _type_help(value)
        case "enum":
            near = did_you_mean(str(value), map(str, rule))
            return "wrong-value", f"`{word}` cannot be {shown}", near or f"it is one of: {listed(rule)}"
        case "minimum" | "exclusiveMinimum":
            bound = "at least" if error.validator == "minimum" else "greater than"
            return "wrong-value", f"`{word}` must be {bound} {rule}, and is {shown}", None
        case "maximum" | "exclusiveMaximum":
            bound = "at most" if error.validator == "maximum" else "less than"
            return "wrong-value", f"`{word}` must be {bound} {rule}, and is {shown}", None
        case "minItems" | "maxItems" | "minProperties" | "maxProperties":
            bound = "at least" if error.validator.startswith("min") else "at most"
            what = "item" if error.validator.endswith("Items") else "key"
            return "wrong-value", f"`{word}` must have {bound} {rule} {what}{'s' * (rule != 1)}", None
        case "pattern":
            return "bad-name", f"{shown} cannot be a name", "a name has letters, digits, `_` and `-`"
    return "wrong-value", f"`{word}`: {error.message}", None


_TYPES = {
    "integer": "an integer",
    "number": "a number",
    "string": "a word",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


def _type_help(value: Any) -> str | None:
    if value in ("yes", "no", "on", "off"):
        return f"write `true` or `false`: in YAML 1.2 `{value}` is a word"
    return None


def _show(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value)
    return f"`{text[:60]}{'...' * (len(text) > 60)}`"


def _example(key: str) -> str | None:
    examples = {
        "name": "add a first line such as `name: my-net`",
        "input": "add a line such as `input: [224, 224, 3]`",
        "layers": "add the list of layers: `layers: [...]`",
        "body": "write `residual: {body: [...]}`",
    }
    return examples.get(key)


def _owner(path: list[Any]) -> str | None:
    """The nearest key above, the word that the reader sees in the source."""
    return next((part for part in reversed(path) if isinstance(part, str)), None)


def _find(document: source.Mapping, path: list[Any]) -> tuple[source.Node, source.Scalar | None]:
    """The node at a JSON path, and the key under which it stands if it stands under one."""
    node: source.Node = document
    key = None
    for part in path:
        key = None
        if isinstance(node, source.Mapping):
            key, node = node.entries[part]
        elif isinstance(node, source.Sequence):
            node = node.items[part]
    return node, key


def _start(span: Span) -> Span:
    return Span(span.source, span.line, span.column, span.line, span.column + 1)


__all__ = ["MERGES", "check_value", "validate"]
