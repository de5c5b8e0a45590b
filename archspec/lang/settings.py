"""`--set NAME=VALUE`: of a page's params, and of its sections by a dotted path (`train.epochs=5`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft7Validator

from archspec.diagnostics import ArchspecError, fail
from archspec.lang import source
from archspec.lang.schema import page_schema
from archspec.lang.validate import explain_section

SECTIONS = ("train", "evaluate")


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """`classes=10` -> {"classes": 10}; the value is YAML. Raises ArchspecError: setting."""
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise fail("setting", f"`--set {text}` is not NAME=VALUE", help="write for example `--set classes=10`")
        settings[name.strip()] = source.parse_value(value, f"--set {name.strip()}")
    return settings


def split(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of params, and those of sections."""
    of_sections = {
        name: value for name, value in settings.items() if name.partition(".")[0] in SECTIONS and "." in name
    }
    return {name: value for name, value in settings.items() if name not in of_sections}, of_sections


def section(document: source.Mapping, name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A section of the page with the settings applied. Raises ArchspecError when one of them does not fit."""
    node = document.get(name)
    values: dict[str, Any] = source.plain(node) if node else {}
    for dotted, value in settings.items():
        first, *inner, last = dotted.split(".")
        if first != name:
            continue
        place = values
        for word in inner:
            if not isinstance(place.get(word), dict):
                # `schedule: cosine` becomes `schedule: {cosine: {}}` before a setting goes into it
                place[word] = {place[word]: {}} if isinstance(place.get(word), str) else {}
            place = place[word]
        place[last] = value
    schema = {**page_schema()["properties"][name], "definitions": page_schema()["definitions"]}
    diagnostics = [
        each for error in Draft7Validator(schema).iter_errors(values) for each in explain_section(error, name)
    ]
    if diagnostics:
        raise ArchspecError(*diagnostics)
    return values
