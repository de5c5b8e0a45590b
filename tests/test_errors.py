"""Every error has a code that docs/errors.md explains, and docs/errors.md is fresh."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.examples import errors
from tests.examples.specs import BAD, diagnostics

ROOT = Path(__file__).parents[1]
RAISERS = {"fail", "Diagnostic", "error", "_wrong", "WrongArgument"}
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def codes(text: str) -> Iterator[str]:
    """The codes in a module: of diagnostics, of expressions, and of tuples (code, message, help)."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = {"ExpressionError": 1}.get(name, 0 if name in RAISERS else 99)
            candidates = node.args[first : first + 1]
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 3:
            is_message = isinstance(node.value.elts[1], (ast.Constant, ast.JoinedStr))
            candidates = node.value.elts[:1] if is_message else []
        else:
            continue
        for each in candidates:
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and CODE.fullmatch(each.value):
                yield each.value


def used() -> set[str]:
    return {
        code
        for folder in ("archspec", "cli")
        for file in (ROOT / folder).rglob("*.py")
        for code in codes(file.read_text(encoding="utf-8"))
    }


def test_codes_are_found_where_they_are_raised() -> None:
    module = """
raise fail("one", "text", span)
raise self.builder.error("two-words", "text", span)
self._wrong("three", "text", span)
diagnostics.Diagnostic("four", message)
raise ExpressionError("text", "five", "help")
def fact(): return "six", f"text {value}", None
def unit(): return "norm", (leaving,), (leaving,)
raise fail("not a code", "text")
print("seven")
"""
    assert sorted(codes(module)) == sorted(["one", "two-words", "three", "four", "five", "six"])


def test_every_code_is_explained() -> None:
    missing = used() - errors.documented()
    assert not missing, "give each a line in tests/examples/errors.py, then `python -m tests.examples.accept`"


def test_every_code_that_is_explained_can_occur() -> None:
    shown = {each.code for spec in BAD for each in diagnostics(spec)}
    assert errors.documented() - used() - shown == {"internal"}


def test_every_code_of_a_spec_has_an_example() -> None:
    shown = {each.code for spec in BAD for each in diagnostics(spec)}
    assert shown - set(errors.SPEC) == set(), "a bad example shows a code that errors.SPEC does not explain"
    assert set(errors.SPEC) - shown == set()


def test_the_spec_of_errors_is_fresh() -> None:
    path = ROOT / "docs" / "errors.md"
    assert path.read_text(encoding="utf-8") == errors.text(), "run `python -m tests.examples.accept`"
