"""Files and YAML: what can be read, where every value stands, and YAML 1.2's scalars."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Diagnostic, Source
from archspec.lang.document.nodes import MappingNode, ScalarNode, SequenceNode, plain
from archspec.lang.document.yaml_parser import MAX_BYTES, MAX_DEPTH, MAX_VALUES, parse_document, read_text


def parse(text: str) -> MappingNode:
    return parse_document(Source("spec.yaml", text))


def refused(text: str) -> Diagnostic:
    with pytest.raises(ArchspecError) as raised:
        parse(text)
    (diagnostic,) = raised.value.diagnostics
    return diagnostic


def unreadable(path: Path | str) -> tuple[str, str]:
    (diagnostic,) = api.check(str(path))
    assert diagnostic.span is None
    return diagnostic.code, diagnostic.message.replace(str(path), "PATH")


def test_a_missing_file_a_folder_and_a_path_through_a_file(tmp_path: Path) -> None:
    assert unreadable(tmp_path / "none.yaml") == ("page-not-found", "there is no file `PATH`")
    (tmp_path / "folder.yaml").mkdir()
    assert unreadable(tmp_path / "folder.yaml") == ("page-not-found", "the folder `PATH` contains no spec.yaml")
    (tmp_path / "file").write_text("name: net")
    assert unreadable(tmp_path / "file" / "net.yaml") == ("page-not-found", "`PATH` cannot be read: Not a directory")


def test_a_name_that_is_nearly_that_of_a_spec_beside_it_is_corrected(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").touch()
    (diagnostic,) = api.check(str(tmp_path / "mine.yml"))
    assert diagnostic.help == f"did you mean `{tmp_path / 'mine.yaml'}`?"


def test_a_path_that_no_system_takes() -> None:
    with pytest.raises(ArchspecError) as raised:
        read_text("a\0b.yaml")
    assert raised.value.diagnostics[0].message == "`a\0b.yaml` cannot be read: embedded null byte"
    assert "`a\\x00b.yaml`" in str(raised.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.touch(mode=0)
    assert unreadable(spec) == ("page-not-found", "`PATH` cannot be read: Permission denied")


def test_a_file_of_100_megabytes_is_refused_without_reading_it(tmp_path: Path) -> None:
    spec = tmp_path / "huge.yaml"
    with spec.open("wb") as file:
        file.truncate(100_000_000)
    assert unreadable(spec) == ("page-too-large", f"`PATH` is larger than {MAX_BYTES:,} bytes, the limit for a spec")


def test_files_that_are_no_text(tmp_path: Path) -> None:
    image = tmp_path / "image.yaml"
    image.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    assert unreadable(image) == ("not-text", "`PATH` is not UTF-8 text: byte 1 is invalid")
    model = tmp_path / "model.yaml"
    with zipfile.ZipFile(model, "w") as archive:
        archive.writestr("config.json", os.urandom(2 * MAX_BYTES))
    assert unreadable(model) == ("not-text", "`PATH` is a model or an archive, not a spec")
    utf_16 = tmp_path / "wide.yaml"
    utf_16.write_text("name: net", encoding="utf-16")
    assert unreadable(utf_16)[0] == "not-text"


def test_null_characters_are_shown_where_they_are(tmp_path: Path) -> None:
    spec = tmp_path / "null.yaml"
    spec.write_bytes(b"name: net\ninput: [3]\nlayers: [re\x00lu]\n")
    (diagnostic,) = api.check(str(spec))
    assert diagnostic.message == "invalid YAML: the control character #x00 is not allowed"
    assert diagnostic.place == (3, 12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-17", -17),
        ("+3", 3),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        ("1E-4", 1e-4),
        ("5e-4", 5e-4),
        ("-.5e+1", -5.0),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("12:30", "12:30"),
        ("2015-12-10", "2015-12-10"),
        ("1x1", "1x1"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("+", "+"),
        (".", "."),
        ("e3", "e3"),
        ("0x", "0x"),
        ("$n", "$n"),
        ("$(2 * n)", "$(2 * n)"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'it''s'", "it's"),
        ('"\\u00e9"', "é"),
    ],
)
def test_scalars_of_yaml_1_2(text: str, value: Any) -> None:
    (read,) = plain(parse(f"key: {text}\n")).values()
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["1000000000000000001", "-1e19", "1e999", "9" * 500, "0x" + "f" * 400])
def test_numbers_beyond_all_sizes(text: str) -> None:
    assert refused(f"key: {text}\n").code == "number-too-large"
    assert plain(parse(f"key: '{text}'\n")) == {"key": text}


def test_keys_are_text() -> None:
    assert plain(parse("{18: a, 0.5: b, true: c, null: d, 'x y': e}")) == {
        "18": "a",
        "0.5": "b",
        "true": "c",
        "null": "d",
        "x y": "e",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028"])
def test_places_with_every_line_end(end: str) -> None:
    text = end.join(["name: net", "list:", "  - first", "  - {a: 1, a: 2}", ""])
    diagnostic = refused(text)
    assert diagnostic.place == (4, 12)
    assert diagnostic.span
    assert diagnostic.span.source.line(4) == "  - {a: 1, a: 2}"


def test_places_of_values() -> None:
    spec = parse("a: [1, {b: two}]\nc: |\n  text\n  more\n")
    a, c = spec.entries["a"], spec.entries["c"]
    assert str(a[0].span) == "spec.yaml:1:1"
    assert isinstance(a[1], SequenceNode)
    inner = a[1].items[1]
    assert isinstance(inner, MappingNode)
    span = inner.entries["b"][1].span
    assert (span.line, span.column, span.end_column) == (1, 12, 15)
    assert isinstance(c[1], ScalarNode)
    assert c[1].value == "text\nmore\n"


def test_depth_is_bounded_and_the_bound_is_reached() -> None:
    def nested(depth: int) -> str:
        return "a: " + "[" * (depth - 1) + "]" * (depth - 1)

    assert parse(nested(MAX_DEPTH))
    assert refused(nested(MAX_DEPTH + 1)).code == "too-deep"
    for text in ("[" * 500_000, "{" * 500_000, "- " * 500_000, "a:\n" + "".join(" " * i + "- \n" for i in range(900))):
        assert refused(text).code in ("too-deep", "yaml-syntax")


def test_the_number_of_values_is_bounded_and_the_bound_is_reached() -> None:
    assert parse("a: [" + "1," * (MAX_VALUES - 3) + "]")  # and the mapping, its key and the list
    assert refused("a: [" + "1," * (MAX_VALUES - 2) + "]").code == "page-too-large"
