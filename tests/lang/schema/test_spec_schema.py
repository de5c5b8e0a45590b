"""The JSON Schema: valid, fresh, described for editors, and of one mind with archspec about every example spec."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.lang.document.nodes import plain
from archspec.lang.document.yaml_parser import parse_document
from archspec.lang.schema import spec_schema as schema
from archspec.lang.schema.messages import one_key_options
from archspec.ops import OPS
from archspec.protocols import PROTOCOLS
from archspec.transforms import TRANSFORMS
from tests.examples.specs import BAD, GOOD, diagnostics

SHIPPED = Path(schema.__file__).parents[2] / "schema.json"
SCHEMA = json.loads(schema.text())
PLAIN = jsonschema.Draft7Validator(SCHEMA)
OF_THE_SCHEMA = {"missing-key", "unknown-key", "unknown-argument", "missing-argument", "wrong-type", "wrong-value"}


def document(spec: Path) -> Any:
    return plain(parse_document(Source(spec.name, spec.read_text(encoding="utf-8-sig"))))


def test_the_shipped_file_is_fresh() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == schema.text(), "run `python -m tests.examples.accept`"


def test_it_is_valid_draft_07() -> None:
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(shipped)


@pytest.mark.parametrize("family", api.families())
def test_shipped_specs_validate_with_any_validator(family: str) -> None:
    PLAIN.validate(plain(parse_document(api.read_spec(family))))


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: spec.stem)
def test_good_specs_validate_with_any_validator(spec: Path) -> None:
    PLAIN.validate(document(spec))


@pytest.mark.parametrize(
    "name",
    [
        "missing-input",
        "unknown-key",
        "unknown-key-in-figure",
        "unknown-argument",
        "missing-argument",
        "wrong-type-bare",
        "wrong-value-rate",
        "bad-name",
        "no-arguments",
        "layers-mapping",
        "expect-no-reason",
        "two-optimizers",
    ],
)
def test_an_editor_underlines_what_archspec_refuses(name: str) -> None:
    (spec,) = [spec for spec in BAD if spec.stem == name]
    assert list(PLAIN.iter_errors(document(spec)))


def test_what_the_schema_refuses_archspec_refuses() -> None:
    for spec in BAD:
        try:
            refused = list(PLAIN.iter_errors(document(spec)))
        except ArchspecError:  # no YAML of the language
            continue
        if refused:
            assert diagnostics(spec), spec.stem


def properties(fragment: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All named properties in a schema, with their paths."""
    if isinstance(fragment, dict):
        for key, value in fragment.items():
            if key == "properties":
                yield from ((f"{path}/{name}", each) for name, each in value.items())
            yield from properties(value, f"{path}/{key}")
    elif isinstance(fragment, list):
        for each in fragment:
            yield from properties(each, path)


def test_every_property_is_described_for_editors() -> None:
    found = dict(properties(SCHEMA))
    assert len(found) > 200
    assert [path for path, each in found.items() if not each.get("description")] == []


def test_every_head_and_modifier_can_be_completed() -> None:
    words = SCHEMA["definitions"]["layer"]["else"]["properties"]
    assert {"name", "from", "repeat", "first", "when", "row", "residual"} < set(words)
    text = json.dumps(SCHEMA)
    families: list[Mapping[str, Any]] = [OPS, TRANSFORMS, PROTOCOLS, *one_key_options().values()]
    names = {name for family in families for name in family}
    assert [name for name in names if f'"{name}": {{"description"' not in text] == []
