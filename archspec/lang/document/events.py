"""The events of PyYAML's parser, with its syntax errors as diagnostics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from archspec.diagnostics import Source, Span, fail

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def events(source: Source) -> Iterator[Any]:
    """The events of PyYAML's parser, read lazily.

    Raises ArchspecError: yaml-syntax.
    """
    try:
        yield from yaml.parse(source.text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if "end of stream" in str(error.problem) and error.context_mark:
            mark = error.context_mark  # where the quote or bracket was opened
        span = Span(source, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None
        context = f" {error.context}" if error.context else ""
        raise fail(
            "yaml-syntax", f"invalid YAML: {error.problem}{context}", span, help=_help(source, span, str(error))
        ) from None
    except yaml.reader.ReaderError as error:
        raise _not_printable(source, error) from None


def place(source: Source, start: Any, end: Any = None) -> Span:
    """From the start of an event to its end, or to the end of another."""
    a, b = start.start_mark, (end or start).end_mark
    return Span(source, a.line + 1, a.column + 1, b.line + 1, b.column + 1)


def _not_printable(source: Source, error: Any) -> Exception:
    found = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", source.text)
    if not found:
        return fail("yaml-syntax", f"invalid YAML: {error.reason}")
    before = source.text[: found.start()]
    line, column = before.count("\n") + 1, found.start() - before.rfind("\n")
    return fail(
        "yaml-syntax",
        f"invalid YAML: the control character #x{ord(found[0]):02x} is not allowed",
        Span(source, line, column, line, column + 1),
        help="remove it, or check that this is the right file",
    )


def _help(source: Source, span: Span | None, problem: str) -> str | None:
    if span is None:
        return None
    # libyaml often notices a mistake on the line after it
    near = [source.line(span.line), source.line(span.line - 1)]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in near):
        return "indent with spaces: YAML does not allow tabs"
    for line in near:
        if re.search(r"[{\[,]\s*[\w$]+:\s*\$\([^)]*[\[\],{}]", line):
            return 'inside braces, quote an expression that has a comma or bracket: "$(min(a, b))"'
        if line.count("{") != line.count("}") or line.count("[") != line.count("]"):
            return "close the braces and brackets on this line"
        if re.search(r"[{,]\s*\w+:[^\s,}]", line):
            return "put a space after each colon: `{filters: 64}`"
    if "quoted scalar" in problem:
        return "close the quote"
    if "mapping values are not allowed" in problem:
        return "put quotes around text that contains `: `"
    return "check the indentation of this line" if "block" in problem else None
