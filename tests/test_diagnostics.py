"""How a mistake is shown: the excerpt, the caret under the culprit, and text that cannot harm a terminal."""

from __future__ import annotations

import pytest

from archspec.diagnostics import (
    Diagnostic,
    Source,
    Span,
    counted,
    did_you_mean,
    fail,
    listed,
    merged,
    render,
    terminal_text,
    visible,
)


def at(text: str, line: int, column: int, end_column: int, end_line: int | None = None) -> Span:
    return Span(Source("net.yaml", text), line, column, end_line or line, end_column)


def test_the_form_of_language_md() -> None:
    text = "\n" * 12 + "  - conv: {filter: 64, kernel_size: 3}\n"
    diagnostic = Diagnostic(
        "unknown-argument", "`conv` has no argument `filter`", at(text, 13, 12, 18), help="did you mean `filters`?"
    )
    assert render(diagnostic).splitlines() == [
        "error[unknown-argument]: `conv` has no argument `filter`",
        "  --> net.yaml:13:12",
        "   |",
        "13 |   - conv: {filter: 64, kernel_size: 3}",
        "   |            ^^^^^^",
        "   = help: did you mean `filters`?",
    ]


def test_line_numbers_of_one_and_of_three_digits() -> None:
    short, long = Diagnostic("x", "m", at("ab", 1, 2, 3)), Diagnostic("x", "m", at("\n" * 120 + "ab", 121, 1, 3))
    assert render(short).splitlines()[1:] == ["  --> net.yaml:1:2", "   |", " 1 | ab", "   |  ^"]
    assert render(long).splitlines()[1:] == ["   --> net.yaml:121:1", "    |", "121 | ab", "    | ^^"]


def test_without_a_place_and_at_an_empty_line() -> None:
    assert render(Diagnostic("x", "fact", notes=("why",), help="how")).splitlines() == [
        "error[x]: fact",
        "   = note: why",
        "   = help: how",
    ]
    assert render(Diagnostic("x", "fact", at("", 1, 1, 2))).splitlines() == ["error[x]: fact", "  --> net.yaml:1:1"]


@pytest.mark.parametrize(
    ("line", "column", "end", "above", "below"),
    [
        ("\tabc", 3, 4, "\tabc", "\t ^"),
        ("a\tb c", 5, 6, "a\tb c", " \t  ^"),
        ("畳み込み: x", 7, 8, "畳み込み: x", "          ^"),
        ("畳み: x", 1, 3, "畳み: x", "^^^^"),
        ("a\x07b", 2, 3, "a\\x07b", " ^^^^"),
        ("a\u202eb c", 3, 4, "a\\u202eb c", "       ^"),
        ("ab", 3, 4, "ab", "  ^"),
        ("a b", 2, 3, "a b", " ^"),
    ],
)
def test_the_caret_stands_below_the_culprit(line: str, column: int, end: int, above: str, below: str) -> None:
    shown = render(Diagnostic("x", "m", at(line, 1, column, end))).split("\n")
    assert shown[3:] == [f" 1 | {above}", f"   | {below}"]


def test_a_span_of_several_lines_is_underlined_to_the_end_of_its_first() -> None:
    shown = render(Diagnostic("x", "m", at("a: [1,\n  2]", 1, 4, 5, end_line=2))).split("\n")
    assert shown[-1] == "   |    ^^^"


def test_an_endless_line_is_cut_around_the_culprit() -> None:
    text = "x" * 1000 + "HERE" + "y" * 1000
    _, _, _, above, below = render(Diagnostic("x", "m", at(text, 1, 1001, 1005))).split("\n")
    assert len(above) < 200
    assert above[below.index("^") :].startswith("HERE")
    assert below.count("^") == 4


def test_messages_stay_on_one_line_and_are_cut() -> None:
    shown = render(Diagnostic("x", "a\nb\x1b[31m" + "c" * 10_000, help="d\re"))
    assert shown.startswith("error[x]: a\\nb\\x1b[31mccc")
    assert shown.endswith("ccc...\n   = help: d\\re")
    assert len(shown) < 700


def test_what_a_terminal_would_obey_is_spelt_out() -> None:
    named = Span(Source("a\x1b[31m.yaml", "x"), 1, 1, 1, 2)
    assert "--> a\\x1b[31m.yaml:1:1" in render(Diagnostic("x", "m", named))
    assert visible("plain é 畳") == "plain é 畳"
    assert visible("\x1b]0;\x9b\u200b\ud800") == "\\x1b]0;\\x9b\\u200b\\ud800"


def test_the_same_mistake_at_one_place_is_equal_whatever_the_words() -> None:
    here, there = at("a b", 1, 1, 2), at("a b", 1, 3, 4)
    assert Diagnostic("shape", "48 by 5", here) == Diagnostic("shape", "96 by 5", here, notes=("in variant `B`",))
    assert Diagnostic("shape", "48 by 5", here) != Diagnostic("shape", "48 by 5", there)
    assert Diagnostic("shape", "m", here) != Diagnostic("row", "m", here)
    assert Diagnostic("setting", "m") != Diagnostic("setting", "n")
    assert len({Diagnostic("shape", "48 by 5", here), Diagnostic("shape", "96 by 5", here)}) == 1


def test_the_same_words_on_several_lines_are_one_diagnostic_in_the_order_of_the_source() -> None:
    text = "a\n" * 9
    found = [Diagnostic("x", "m", at(text, line, 1, 2)) for line in (7, 3, 5)]
    other = Diagnostic("x", "other", at(text, 4, 1, 2))
    first, second = merged([*found, other])
    assert (first.place, first.notes) == ((3, 1), ("also on lines 5, 7",))
    assert second is other


def test_did_you_mean() -> None:
    known = ["conv", "dense", "kernel_size"]
    assert did_you_mean("cnov", known) == "did you mean `conv`?"
    assert did_you_mean("Kernel_Size", known) == "did you mean `kernel_size`?"
    assert did_you_mean("relu", known) is None
    assert did_you_mean("c" * 100_000, known) is None


def test_a_long_list_is_counted() -> None:
    assert listed(range(3)) == "0, 1, 2"
    assert listed(range(100), limit=3) == "0, 1, 2 and 97 more"


def test_the_form_for_programs() -> None:
    error = fail("shape", "fact", at("abc", 1, 2, 4), notes=["why"])
    assert error.diagnostics[0].to_json() == {
        "severity": "error",
        "code": "shape",
        "message": "fact",
        "file": "net.yaml",
        "line": 1,
        "column": 2,
        "end_line": 1,
        "end_column": 4,
        "notes": ["why"],
        "help": None,
    }
    assert fail("setting", "fact").diagnostics[0].to_json()["line"] is None


def test_nothing_in_a_text_controls_the_terminal() -> None:
    names = "a\x1b[31mb\x9bc\rd\x07\u202ee\udcff"
    assert terminal_text(f"{names}\n\tnext") == r"a\x1b[31mb\x9bc\rd\x07\u202ee\udcff" + "\n\tnext"
    assert terminal_text("path,label\r\nélan 象 ×\r\n") == "path,label\nélan 象 ×\n"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "image", "1 image"),
        (0, "image", "0 images"),
        (3000, "class", "3,000 classes"),
        (2, "spatial axis", "2 spatial axes"),
        (1, "boundary", "1 boundary"),
        (2, "boundary", "2 boundaries"),
        (2, "array", "2 arrays"),
        (2, "branch", "2 branches"),
        (2, "epoch", "2 epochs"),
    ],
)
def test_counts_have_the_singular_and_the_plural(number: int, noun: str, text: str) -> None:
    assert counted(number, noun) == text
