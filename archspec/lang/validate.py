"""Check a document, and the values of its expressions, against the JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft7Validator, ValidationError, validators

from archspec.declare import arguments
from archspec.diagnostics import Diagnostic
from archspec.lang import source
from archspec.lang.explain import explain, fact
from archspec.lang.mistake import mistake
from archspec.lang.schema import page_schema
from archspec.ops import OPS

MAX_ERRORS = 100


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """A `$` is the end of the text, as in JSON Schema; Python's would let a line end follow."""
    if isinstance(instance, str) and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator: Any = validators.extend(Draft7Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]


@cache
def _page() -> Any:
    return _Validator(page_schema())


def validate(document: source.Mapping, explained: Collection[int] = ()) -> list[Diagnostic]:
    """What the schema finds wrong with a page, up to MAX_ERRORS; nothing within nodes whose id is in `explained`."""
    errors = islice(_page().iter_errors(source.plain(document)), MAX_ERRORS)
    return [diagnostic for error in errors for diagnostic in explain(mistake(error), document, explained)]


def validate_section(section: Any, name: str, document: source.Mapping | None = None) -> list[Diagnostic]:
    """What is wrong with the values of a section; with the `document` that they come from, at their places."""
    schema = {**page_schema()["properties"][name], "definitions": page_schema()["definitions"]}
    errors = islice(_Validator(schema).iter_errors(section), MAX_ERRORS)
    return [diagnostic for error in errors for diagnostic in explain(mistake(error, name), document)]


def check_value(head: str, argument: str, value: Any) -> tuple[str, str, str | None] | None:
    """Code, fact and remedy of a value that an expression gave to an argument; None if it fits."""
    error = next(_argument(head, argument).iter_errors(_thaw(value)), None)
    return None if error is None else fact(mistake(error, 0, head, argument))


@cache
def _argument(head: str, argument: str) -> Any:
    schema: Mapping[str, Any] = next(each.schema for each in arguments(OPS[head]) if each.name == argument)
    return _Validator(schema)


def _thaw(value: Any) -> Any:
    return [_thaw(item) for item in value] if isinstance(value, tuple) else value
