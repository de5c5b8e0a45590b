"""Places in a source text, and what is wrong there: Span, Diagnostic, render.

The form follows rustc: the first line says what is wrong, the excerpt shows where, the notes say
what led there, and only `help` says how to mend it.
"""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, Literal

LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # what YAML counts as one


@dataclass(frozen=True)
class Source:
    """A text and the name it is reported under. Compared by identity of the text, printed by name."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _lines(self) -> list[str]:
        return LINE_END.split(self.text)

    def line(self, number: int) -> str:
        """The line of that number, counted from 1, without its end; empty past the end."""
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else ""


@dataclass(frozen=True)
class Span:
    """From (line, column) up to, not including, (end_line, end_column); all counted from 1."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def first(self, length: int) -> Span:
        """The first `length` characters of it."""
        return replace(self, end_line=self.line, end_column=self.column + length)


@dataclass(frozen=True, eq=False)
class Diagnostic:
    """One mistake: its code (docs/errors.md lists them), the fact, the place, what led there, the remedy.

    A `warning` is of what can be meant as it is: no command fails for it.

    Two are equal when they are of one code at one place: the same mistake, seen in another variant of the spec.
    Without a place the message decides.
    """

    code: str
    message: str
    span: Span | None = None
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: Literal["error", "warning"] = "error"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Diagnostic) and self._mistake == other._mistake

    def __hash__(self) -> int:
        return hash(self._mistake)

    @property
    def _mistake(self) -> tuple[str, object]:
        return self.code, self.span or self.message

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, to sort by; (0, 0) without a place."""
        return (self.span.line, self.span.column) if self.span else (0, 0)

    def with_notes(self, *notes: str) -> Diagnostic:
        return replace(self, notes=self.notes + notes)

    def to_json(self) -> dict[str, Any]:
        """The form of `--format json`: places are null when the mistake has none in a file."""
        span = self.span
        return {
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "file": span.source.name if span else None,
            "line": span.line if span else None,
            "column": span.column if span else None,
            "end_line": span.end_line if span else None,
            "end_column": span.end_column if span else None,
            "notes": list(self.notes),
            "help": self.help,
        }


class ArchspecError(Exception):
    """Every mistake of a user's reaches the surface as this: one or more diagnostics, never a traceback."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        return "\n\n".join(render(diagnostic) for diagnostic in self.diagnostics)


def fail(
    code: str, message: str, span: Span | None = None, *, notes: Iterable[str] = (), help: str | None = None
) -> ArchspecError:
    """The error of a single diagnostic, to be raised by the caller."""
    return ArchspecError(Diagnostic(code, message, span, tuple(notes), help))


def merged(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """In the order of the source, and the same words on several lines once: a misspelt word is often used often."""
    groups: dict[tuple[str, str], list[Diagnostic]] = {}
    for diagnostic in sorted(diagnostics, key=lambda each: each.place):
        groups.setdefault((diagnostic.code, diagnostic.message), []).append(diagnostic)
    result = []
    for first, *others in groups.values():
        lines = list(dict.fromkeys(each.span.line for each in others if each.span and each.place > first.place))
        also = f"also on line{'s' * (len(lines) > 1)} {listed(lines)}"
        result.append(first.with_notes(also) if lines else first)
    return result


# ---- as text -------------------------------------------------------------------------------------------------------

WIDTH = 160  # characters of a source line that are shown; a spec of one endless line stays readable
LONGEST = 500  # characters of a message; a spec can hold a name of a megabyte


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as text, in the form of LANGUAGE.md, without a final line end."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {_shown(diagnostic.message)}"]
    span = diagnostic.span
    width = max(2, len(str(span.line)) if span else 0)
    gutter = " " * width
    if span:
        lines.append(f"{gutter}--> {visible(str(span))}")
        excerpt = span.source.line(span.line)
        if excerpt.strip():
            above, below = _excerpt(excerpt, span)
            lines += [f"{gutter} |", f"{span.line:>{width}} | {above}", f"{gutter} | {below}"]
    lines += [f"{gutter} = note: {_shown(note)}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"{gutter} = help: {_shown(diagnostic.help)}")
    return "\n".join(lines)


def _shown(text: str) -> str:
    return visible(text if len(text) <= LONGEST else text[: LONGEST - 3] + "...")


def visible(text: str) -> str:
    """The text with what a terminal would not print, or obey, as Python writes it: a line end is \\n."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode() for each in text
    )


def printable(path: str) -> str:
    """A path with escapes for bytes that are not UTF-8 and for characters that would control a terminal."""
    return visible(os.fsencode(path).decode("utf-8", "backslashreplace"))


def _excerpt(text: str, span: Span) -> tuple[str, str]:
    """The line of the source, and the line of carets under it."""
    start = span.column - 1
    stop = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    shift = max(0, min(start - WIDTH // 4, len(text) - WIDTH))
    text = text[shift : shift + WIDTH]
    start, stop = start - shift, min(stop - shift, len(text))
    # tabs are kept above the caret, so that it stays below what it points at in any terminal
    above = "\t".join(map(visible, text.split("\t")))
    indent = "\t".join(" " * _columns(part) for part in text[:start].split("\t"))
    return above, indent + "^" * max(1, _columns(text[start:stop]))


def _columns(text: str) -> int:
    """The width of a text in a terminal: some letters take two columns."""
    shown = "".join(each if each == "\t" else visible(each) for each in text)
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in shown)


# ---- words ---------------------------------------------------------------------------------------------------------


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The help line for a misspelt word, or None when nothing known is near."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like it, or None."""
    if len(word) > 60:
        return None
    candidates = {name.lower(): name for name in islice(known, 1000)}
    near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[near[0]] if near else None


def listed(words: Iterable[object], limit: int = 40) -> str:
    """Words as a phrase: a, b, c. Beyond `limit` the others are counted."""
    each: Sequence[str] = [str(word) for word in words]
    more = f" and {len(each) - limit} more" if len(each) > limit else ""
    return ", ".join(each[:limit]) + more
