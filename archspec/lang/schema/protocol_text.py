"""Protocols on the command line: `ten-crop`, `center,dense`, `multi-scale: [256, 384]`; and in tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archspec.declare import Declared, arguments
from archspec.diagnostics import ArchspecError, merged
from archspec.lang.declarations.json_schema import default_text
from archspec.lang.document.yaml_parser import parse_value
from archspec.lang.recipes.evaluation_protocols import Protocol, make_protocols
from archspec.lang.schema.validate import validate_section

FROM_SPEC = "page"
"""The word for all protocols that a page lists."""


def parse_protocols(texts: Iterable[str]) -> tuple[Protocol, ...] | None:
    """Each text is YAML: a word, words with commas, or a protocol with its arguments; None for the word `page` alone.

    Raises ArchspecError: what `validate_section` finds (unknown-operator, unknown-argument, ...) and yaml-syntax.
    """
    values: list[Any] = []
    for text in texts:
        value = parse_value(text, "--protocol")
        if isinstance(value, str):
            values += [word.strip() for word in value.split(",") if word.strip()]
        elif isinstance(value, dict):
            values += [{name: arguments} for name, arguments in value.items()]
        else:
            values += value if isinstance(value, list) else [value]
    if values == [FROM_SPEC]:
        return None
    diagnostics = validate_section({"protocols": values}, "evaluate")
    if diagnostics:
        raise ArchspecError(*merged(diagnostics))
    return make_protocols(values)


def protocol_text(protocol: Declared) -> str:
    """As a page would say it, without what is default: `multi-scale: {sizes: [256, 384]}`."""
    given = {
        each.name: value
        for each in arguments(type(protocol))
        if (value := getattr(protocol, each.name)) != each.default
    }
    inside = ", ".join(f"{name}: {default_text(value)}" for name, value in given.items())
    return f"{protocol.name}: {{{inside}}}" if given else protocol.name
