"""Our validator and the package jsonschema are of one mind: on every keyword, and on specs whole and broken."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError, Source
from archspec.lang.document.nodes import plain
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.schema.spec_schema import spec_schema, text
from archspec.lang.schema.validator import MAX_MISTAKES, mistakes
from tests.examples.specs import BAD, GOOD
from tests.lang.test_never_a_traceback import trees

SCHEMA = spec_schema()
PLAIN = jsonschema.Draft7Validator(json.loads(text()))


def of_the_other(value: Any, validator: Any) -> set[tuple[tuple[Any, ...], str]]:
    """Paths and keywords of what jsonschema finds."""
    return {(tuple(error.absolute_path), str(error.validator)) for error in validator.iter_errors(value)}


def of_ours(value: Any, schema: Any) -> set[tuple[tuple[Any, ...], str]]:
    found = mistakes(value, schema)
    assert len(found) < MAX_MISTAKES
    # jsonschema gives what is wrong with a key the name of the keyword inside of `propertyNames`
    return {(each.path, next(iter(each.schema)) if each.rule == "propertyNames" else each.rule) for each in found}


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        ({"type": "integer"}, [1, 1.0, 1.5, True, "1", None, [], {}]),
        ({"type": ["number", "null"]}, [1, 1.5, False, None, "x"]),
        ({"type": ["array", "boolean"]}, [[], True, 0, {}]),
        ({"enum": ["a", 1, None]}, ["a", 1, 1.0, True, None, "b"]),
        ({"enum": [True, 0]}, [True, 1, 0, False]),
        ({"const": 2}, [2, 2.0, "2"]),
        ({"minimum": 1, "maximum": 3}, [0, 1, 3, 4, 1.5, "x", True]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [1, 1.1, 3, 2, "x"]),
        ({"multipleOf": 4}, [8, 9, 8.0, "x"]),
        ({"pattern": "^[a-z]+$"}, ["abc", "ABC", "", 3]),
        ({"minLength": 2, "maxLength": 3}, ["a", "ab", "abcd", 7]),
        ({"minItems": 1, "maxItems": 2, "items": {"type": "string"}}, [[], ["a"], ["a", 1], ["a", "b", "c"], "abc"]),
        ({"minProperties": 1, "maxProperties": 1}, [{}, {"a": 1}, {"a": 1, "b": 2}, []]),
        ({"required": ["a"], "properties": {"a": {"type": "null"}}}, [{}, {"a": None}, {"a": 1}, {"b": 1}, 3]),
        ({"properties": {"a": {}}, "additionalProperties": False}, [{"a": 1}, {"b": 1}, {"a": 1, "b": 2, "c": 3}]),
        ({"additionalProperties": {"type": "integer"}, "properties": {"a": {}}}, [{"a": "x"}, {"b": "x"}, {"b": 1}]),
        ({"propertyNames": {"pattern": "^x"}}, [{"x": 1}, {"y": 1}, {"y": 1, "z": 2}]),
        ({"dependencies": {"a": ["b"]}}, [{}, {"a": 1}, {"a": 1, "b": 2}, {"b": 2}]),
        ({"if": {"type": "string"}, "then": {"pattern": "^a"}, "else": {"minimum": 3}}, ["a", "b", 2, 3, None]),
        ({"if": {"minimum": 3}, "else": {"minimum": 1}}, [0, 1, 4]),
        ({"not": {"type": "string"}}, ["a", 1]),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [1, 0]),
        ({"anyOf": [{"minimum": 5}, {"maximum": 3}]}, [4, 6]),
        ({"oneOf": [{"minimum": 1}, {"maximum": 3}]}, [2, 4]),
        (
            {"$ref": "#/definitions/x", "definitions": {"x": {"items": {"$ref": "#/definitions/x"}, "type": "array"}}},
            [[[[]]], [[3]]],
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_every_keyword(schema: Any, values: list[Any]) -> None:
    validator = jsonschema.Draft7Validator(schema)
    verdicts = []
    for value in values:
        wrong = bool(mistakes(value, schema))
        assert wrong == (not validator.is_valid(value)), value
        verdicts.append(wrong)
    assert True in verdicts
    assert False in verdicts, "each keyword is seen to let something through, and to refuse something"


@pytest.mark.parametrize("spec", [*GOOD, *BAD], ids=lambda spec: spec.stem)
def test_example_specs(spec: Any) -> None:
    try:
        document = plain(parse_document(Source(spec.name, spec.read_text(encoding="utf-8-sig"))))
    except ArchspecError:
        return
    assert of_ours(document, SCHEMA) == of_the_other(document, PLAIN)


@given(trees())
@settings(max_examples=150)
def test_broken_specs(tree: Any) -> None:
    found = mistakes(tree, SCHEMA)
    if len(found) < MAX_MISTAKES:
        assert of_ours(tree, SCHEMA) == of_the_other(tree, PLAIN)


@given(st.lists(st.text() | st.integers() | st.none(), min_size=300, max_size=400))
@settings(max_examples=5)
def test_the_number_of_mistakes_is_bounded(items: list[Any]) -> None:
    assert len(mistakes(items, {"items": {"type": "object"}})) == MAX_MISTAKES


def test_a_dollar_is_the_end_of_the_text() -> None:
    assert mistakes("abc\n", {"pattern": "^[a-z]+$"})
    assert not mistakes("a$", {"pattern": "\\$$"})


def test_a_keyword_that_is_not_supported_is_said() -> None:
    with pytest.raises(ValueError, match="the keyword `contains`"):
        mistakes([], {"contains": {}})
