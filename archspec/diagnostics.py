"""Places in a source text, and what is wrong there: Span, Diagnostic, render.

The form follows rustc: the first line says what is wrong, the excerpt shows where, the notes say
what led there, and only `help` says how to mend it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Source:
    """A text and the name it is reported under. Compared by identity of the text, printed by name."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """The line of that number, counted from 1, without its end; empty past the end."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 1 <= number <= len(lines) else ""


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


@dataclass(frozen=True)
class Diagnostic:
    """One mistake: its code (docs/errors.md lists them), the fact, the place, what led there, the remedy."""

    code: str
    message: str
    span: Span | None = None
    notes: tuple[str, ...] = ()
    help: str | None = None

    def with_notes(self, *notes: str) -> Diagnostic:
        return replace(self, notes=self.notes + notes)

    def to_json(self) -> dict[str, Any]:
        """The form of `--format json`: places are null when the mistake has none in a file."""
        span = self.span
        return {
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
        self.diagnostics = diagnostics
        super().__init__("\n\n".join(render(diagnostic) for diagnostic in diagnostics))


def fail(
    code: str, message: str, span: Span | None = None, *, notes: Iterable[str] = (), help: str | None = None
) -> ArchspecError:
    """The error of a single diagnostic, to be raised by the caller."""
    return ArchspecError(Diagnostic(code, message, span, tuple(notes), help))


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as text, in the form of LANGUAGE.md, without a final line end."""
    lines = [f"error[{diagnostic.code}]: {diagnostic.message}"]
    span = diagnostic.span
    gutter = " " * (len(str(span.line)) if span else 1)
    if span:
        lines.append(f"{gutter}--> {span}")
        excerpt = span.source.line(span.line)
        if excerpt.strip():
            lines += _excerpt(excerpt, span, gutter)
    lines += [f"{gutter} = note: {note}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"{gutter} = help: {diagnostic.help}")
    return "\n".join(lines)


WIDTH = 160  # characters of a source line that are shown; a page of one endless line stays readable


def _excerpt(text: str, span: Span, gutter: str) -> list[str]:
    start = span.column - 1
    stop = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    shift = max(0, min(start - WIDTH // 4, len(text) - WIDTH))
    shown = text[shift : shift + WIDTH]
    start, stop = start - shift, min(stop - shift, len(shown))
    # tabs are kept above the caret, so that it stays below what it points at in any terminal
    indent = "".join("\t" if character == "\t" else " " for character in shown[:start])
    carets = "^" * max(1, stop - start)
    bar = f"{gutter} |"
    return [bar, f"{span.line} | {shown}", f"{bar} {indent}{carets}"]


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The help line for a misspelt word, or None when nothing known is near."""
    candidates = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return f"did you mean `{candidates[near[0]]}`?" if near else None


def listed(words: Iterable[object]) -> str:
    """Words as a phrase: a, b, c."""
    return ", ".join(str(word) for word in words)
