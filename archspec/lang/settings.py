"""`--set NAME=VALUE`: of a page's params, and of its sections by a dotted path (`train.epochs=5`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft7Validator

from archspec.diagnostics import ArchspecError, fail
from archspec.lang import source
from archspec.lang.expr import ExpressionError, evaluate, is_expression
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


def section(document: source.Mapping, name: str, settings: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    """A section of the page with the settings applied and its expressions evaluated, or {} where the page has none.

    Raises ArchspecError when a setting or the value of an expression does not fit.
    """
    node = document.get(name)
    values: Any = source.plain(node) if node else {}
    for dotted, value in settings.items():
        first, *inner, last = dotted.split(".")
        if first == name:
            _put(values, inner, last, value)
    values = _evaluated(values, params, name)
    schema = {**page_schema()["properties"][name], "definitions": page_schema()["definitions"]}
    errors = Draft7Validator(schema).iter_errors(values) if values != {} else ()
    diagnostics = [each for error in errors for each in explain_section(error, name)]
    if diagnostics:
        raise ArchspecError(*diagnostics)
    return values


def _put(values: dict[str, Any], inner: list[str], last: str, value: Any) -> None:
    for word in inner:
        if not isinstance(values.get(word), dict):
            # `schedule: cosine` becomes `schedule: {cosine: {}}` before a setting goes into it
            values[word] = {values[word]: {}} if isinstance(values.get(word), str) else {}
        values = values[word]
    values[last] = value


def _evaluated(value: Any, params: Mapping[str, Any], name: str) -> Any:
    if isinstance(value, dict):
        return {key: _evaluated(each, params, name) for key, each in value.items()}
    if isinstance(value, list):
        return [_evaluated(each, params, name) for each in value]
    if not is_expression(value):
        return value
    try:
        return evaluate(value, params)
    except ExpressionError as error:
        raise fail(error.code, f"`{name}`: {error.message}", help=error.help) from None
