"""Protocols as text: on the command line (`ten-crop`, `center,dense`, `multi-scale: [256, 384]`) and in tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archspec.declare import arguments
from archspec.diagnostics import ArchspecError, merged
from archspec.lang.declarations.json_schema import default_text
from archspec.lang.document.yaml_parser import parse_value
from archspec.lang.recipes.evaluation_recipe import make_protocols
from archspec.lang.schema.validate import validate_section
from archspec.protocols import PROTOCOLS, Protocol

ALL_OF_THE_SPEC = "spec"
"""The word for all protocols of a spec's `evaluate:`."""


def parse_protocols(texts: Iterable[str]) -> tuple[Protocol, ...] | None:
    """The protocols of the command line; None for the word `spec` alone.

    Args:
        texts: YAML each: a name, names with commas between, or a protocol with its arguments.

    Raises:
        ArchspecError: `yaml-syntax`, `unknown-operator`, `unknown-argument` and others of `validate_section`.
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
    if values == [ALL_OF_THE_SPEC]:
        return None
    diagnostics = validate_section({"protocols": values}, "evaluate")
    if any(each.code == "unknown-operator" for each in diagnostics):
        PROTOCOLS.with_plugins()
        diagnostics = validate_section({"protocols": values}, "evaluate")
    if diagnostics:
        raise ArchspecError(*merged(diagnostics))
    return make_protocols(values)


def protocol_text(protocol: Protocol) -> str:
    """A protocol as a spec would say it, without defaults: `multi-scale: {sizes: [256, 384]}`."""
    given = {
        each.name: value
        for each in arguments(type(protocol))
        if (value := getattr(protocol, each.name)) != each.default
    }
    inside = ", ".join(f"{name}: {default_text(value)}" for name, value in given.items())
    return f"{protocol.name}: {{{inside}}}" if given else protocol.name
