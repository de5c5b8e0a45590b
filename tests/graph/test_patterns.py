"""Patterns of paths: what they match, and that no pattern takes long."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec import api
from archspec.diagnostics import ArchspecError
from archspec.graph.patterns import MAX_WILDCARDS, Matcher, matcher, matches, partner

REGULAR = {"/**": "(/.*)?", "**/": "(.*/)?", "**": "(.*)", "*": "([^/]*)", "?": "([^/])", "[ab]": "([ab])"}
"""The wildcards as regular expressions, with a group for each."""
PARTS = [*REGULAR, "[!a]", "a", "b", "/"]
EVERY = re.compile(r"/\*\*$|\*\*/|\*\*|\*|\?|\[.*?\]|.")

PATTERNS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join)
PATHS = st.text("ab/c", min_size=1, max_size=8)


def regular(pattern: str) -> str:
    return "".join(
        REGULAR.get(part, "([^a])" if part == "[!a]" else re.escape(part)) for part in EVERY.findall(pattern)
    )


@given(st.lists(PATTERNS, min_size=1, max_size=4), PATHS)
def test_patterns_match_as_their_regular_expressions(patterns: list[str], path: str) -> None:
    found = [re.fullmatch(regular(pattern), path) for pattern in patterns]
    assert Matcher(patterns).of(path) == tuple(i for i, each in enumerate(found) if each)
    for pattern, each in zip(patterns, found, strict=True):
        if each and each.groups() and len(each.groups()) <= MAX_WILDCARDS:
            words = [word or "" for word in each.groups()]
            wild = (*REGULAR, "[!a]")
            there = "".join(words.pop(0) if part in wild else part for part in EVERY.findall(pattern))
            assert partner(path, pattern, pattern) == there == path


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a*a*a*a*a*a*a*b", "a" * 1000),
        ("**a**a**a**a**a**a**a**b", "a/" * 500),
        ("**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b", "a/" * 500),
        ("?*?*?*?*b", "a" * 1000),
        ("**/*/**/*/**/*/**/*b", "a/" * 500),
    ],
)
def test_many_wildcards_take_linear_time(pattern: str, path: str) -> None:
    start = time.process_time()
    assert not matches(pattern, path)
    assert partner(path, pattern, pattern) is None
    assert time.process_time() - start < 0.5


def test_many_patterns_take_one_pass() -> None:
    paths = [f"conv/{i}" for i in range(20_000)]
    start = time.process_time()
    match = Matcher([f"conv/{i}*" for i in range(3000)])
    assert sum(bool(match.of(path)) for path in paths) == 19_999 + 1
    assert match.of("conv/12") == (1, 12)
    assert time.process_time() - start < 3


def test_patterns_that_take_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.graph.patterns.MAX_MOVES", 10_000)
    with pytest.raises(ArchspecError, match="take too long to match"):
        Matcher([f"*{i}*{i + 1}*" for i in range(3000)]).of("conv/123456789")


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [("[[a]", "[a", "b"), ("c[a&&b]", "&ab", "c"), ("[a||b]", "|ab", "c"), ("[a-c]", "abc", "d-"), ("[-a]", "-a", "b")],
)
def test_letters_of_a_class_stand_for_themselves(pattern: str, fitting: str, other: str) -> None:
    prefix = pattern[: pattern.index("[")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(matches(pattern, prefix + letter) for letter in fitting)
        assert not any(matches(pattern, prefix + letter) for letter in other)


def test_a_reversed_range_has_its_place(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError, match=r"bad-pattern.*reversed"):
        matcher(("[c-a]",))
    head = "name: net\ninput: [8, 8, 3]\nlayers: [conv: 4, flatten, dense: 3]\n"
    for key in ('freeze: ["[c-a]"]', 'init: {"[c-a]": zeros}', 'rate_multipliers: {"[c-a]": 0.1}'):
        (tmp_path / "net.yaml").write_text(f"{head}train: {{{key}}}\n")
        (found,) = api.check(str(tmp_path / "net.yaml"))
        assert (found.code, found.span and found.span.line) == ("bad-pattern", 4)
