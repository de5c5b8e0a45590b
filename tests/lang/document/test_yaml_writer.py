"""Whatever is written is read again as the same values, by this parser and by PyYAML's."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archspec.diagnostics import Source
from archspec.lang.document import yaml_writer
from archspec.lang.document.nodes import plain
from archspec.lang.document.yaml_parser import parse_document


def read(text: str) -> Any:
    return plain(parse_document(Source("x", text)))


WORDS = [
    "relu",
    "$filters",
    "$(4 * filters)",
    "$(min(a, b))",
    "y",
    "on",
    "no",
    "null",
    "~",
    "1e3",
    "",
    "a: b",
    "1x1",
    "08",
]
NUMBERS = [0.1, 1e-5, 3, -1, 1.001e-5, 123456789.5, 2.5e12]


@pytest.mark.parametrize("value", [*WORDS, *NUMBERS, True, None])
def test_every_scalar_is_read_as_it_was_written(value: Any) -> None:
    written = parse_document(Source("x", f"a: {yaml_writer.scalar(value)}\nb: [{yaml_writer.scalar(value)}]"))
    found = plain(written)
    assert found == {"a": value, "b": [value]}
    assert type(found["a"]) is type(value)


VALUES = [
    {"name": "a", "conv": {"filters": 64, "kernel_size": [1, 3]}, "repeat": 3},
    {"concat": {"1x1": [{"conv": 3}], "y": [], "pool": ["maxpool", {"conv": {"filters": "$filters"}}]}},
    {"residual": {"body": [{"conv": {"filters": 123456789, "padding": [[0, 1], [0, 1]]}}] * 6}},
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("width", [20, 60, 120])
def test_lists_and_mappings_are_read_as_they_were_written(value: Any, width: int) -> None:
    lines = "\n".join(yaml_writer.block([value, value], 2, width))
    assert yaml.safe_load(lines) == [value, value]
    assert read(f"a:\n{lines}") == {"a": [value, value]}


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text but surrogates, which no file in UTF-8 can hold."""
scalars = texts | st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(-1e17, 1e17)


def mappings(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Of two keys or more: in a list, one key without a value is written as a word."""
    return st.dictionaries(texts.filter(bool).filter(lambda key: key != "<<"), values, min_size=2, max_size=4)


values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | mappings(inner), max_leaves=12)


@given(mappings(values), st.sampled_from([20, 60, 120]))
def test_any_values_are_read_as_they_were_written(document: dict[str, Any], width: int) -> None:
    text = "\n".join(yaml_writer.block(document, 0, width))
    assert read(text) == document
    assert list(read(text)) == list(document)


@given(texts)
def test_any_text_is_the_same_to_pyyaml(text: str) -> None:
    assert yaml.safe_load(f"a: {yaml_writer.scalar(text)}") == {"a": text}


@pytest.mark.parametrize(
    "name", ['a "b" c', "a\\b", "a\nb", "it's", 'a\\"b', "\x85", "\u2028", "\ufeff", "\x7f", "𝒳", "\x00"]
)
def test_quotes_backslashes_and_line_ends_are_escaped(name: str) -> None:
    assert read(yaml_writer.dump({name: [name, {"a": name, "b": name}]})) == {name: [name, {"a": name, "b": name}]}
