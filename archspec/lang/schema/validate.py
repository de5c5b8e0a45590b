"""Check a document, and the values of its expressions, against the JSON Schema."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from archspec.declare import arguments, thaw
from archspec.diagnostics import Diagnostic
from archspec.lang.document.nodes import MappingNode, plain
from archspec.lang.schema.explain import explain
from archspec.lang.schema.messages import Fact, fact
from archspec.lang.schema.spec_schema import spec_schema
from archspec.lang.schema.validator import mistakes
from archspec.ops import OPS


def validate(document: MappingNode, explained: Collection[int] = ()) -> Iterator[Diagnostic]:
    """Errors of a spec against the schema; none inside nodes whose id is in `explained`."""
    for wrong in mistakes(plain(document), spec_schema()):
        yield from explain(wrong, document, explained)


def validate_section(section: Any, name: str, document: MappingNode | None = None) -> list[Diagnostic]:
    """Errors of the values of a section; with `document`, they have places."""
    found = mistakes(section, spec_schema()["properties"][name], spec_schema())
    moved = [replace(wrong, path=(name, *wrong.path)) for wrong in found]
    return [diagnostic for wrong in moved for diagnostic in explain(wrong, document)]


def check_value(head: str, argument: str, value: Any) -> Fact | None:
    """The error message for an argument with a computed value; None if the value is valid."""
    schema = next(each.schema for each in arguments(OPS[head]) if each.name == argument)
    found = mistakes(thaw(value), schema)
    return fact(replace(found[0], path=(0, head, argument, *found[0].path))) if found else None
