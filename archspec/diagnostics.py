"""Errors and warnings with their locations in a source text: Span, Diagnostic, render.

The form follows rustc: the first line states the error, the excerpt shows the location, the notes give the context, and
`help` the remedy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import nlargest
from itertools import islice
from operator import eq
from reprlib import Repr
from typing import Any, Literal, NamedTuple

from archspec.wording import worded

LINE_END = "\r\n|[\r\n\x85\u2028\u2029]"  # what YAML counts as one


@dataclass(frozen=True)
class Source:
    """A text, and the name that errors show for it."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _lines(self) -> list[str]:
        return re.split(LINE_END, self.text)

    def line(self, number: int) -> str:
        """The line of that number, counted from 1, without its end; empty past the end."""
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else ""


class Span(NamedTuple):
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
        return self._replace(end_line=self.line, end_column=self.column + length)


@dataclass(frozen=True, eq=False)
class Diagnostic:
    """An error or a warning. Its texts name options as the caller writes them (archspec.wording).

    Two diagnostics are equal if they have the same code and location: the same error found in another variant of the
    spec. Without a location they are compared by their messages.
    """

    code: str
    """docs/errors.md lists all codes."""
    message: str
    """States the fact."""
    span: Span | None = None
    """The location in a file; None if there is none."""
    notes: tuple[str, ...] = ()
    """The context."""
    help: str | None = None
    """The remedy."""
    severity: Literal["error", "warning"] = "error"
    """A warning never makes a command fail."""

    def __post_init__(self) -> None:
        for name, text in (("message", self.message), ("help", self.help)):
            object.__setattr__(self, name, text and worded(text))
        object.__setattr__(self, "notes", tuple(map(worded, self.notes)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Diagnostic) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, object]:
        return self.code, self.span or self.message

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, for sorting; (0, 0) without a location."""
        return (self.span.line, self.span.column) if self.span else (0, 0)

    def with_notes(self, *notes: str) -> Diagnostic:
        """A copy with more notes."""
        return replace(self, notes=self.notes + notes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them; the location is null if there is none."""
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
    """Raised for every error in the input, with one or more diagnostics."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.diagnostics = diagnostics

    def noted(self, code: str, note: str) -> ArchspecError:
        """A copy with a note on the diagnostics of that code."""
        return ArchspecError(*(each.with_notes(note) if each.code == code else each for each in self.diagnostics))

    def __str__(self) -> str:
        return "\n\n".join(render(diagnostic) for diagnostic in self.diagnostics)


def fail(
    code: str, message: str, span: Span | None = None, *, notes: Iterable[str] = (), help: str | None = None
) -> ArchspecError:
    """An error with a single diagnostic, for the caller to raise."""
    return ArchspecError(Diagnostic(code, message, span, tuple(notes), help))


def merged(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by location, and merge diagnostics that differ in their lines only, such as a misspelt word used often."""
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

WIDTH = 160  # characters shown of a source line
LONGEST = 500  # characters shown of a message: a spec can contain a name of a megabyte


def render(diagnostic: Diagnostic) -> str:
    """The diagnostic as lines of text, without a final line end."""
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
    """The text with Python's escapes for characters that do not print or would control a terminal."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "backslashreplace").decode() for each in text
    )


CONTROLS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
"""Characters that would control a terminal or cannot be encoded; line feeds and tabs are not among them."""


def terminal_text(text: str) -> str:
    """A text of several lines with escapes for all characters that would control a terminal.

    The last step before a text is printed: names of classes, layers and files may come from strangers.
    """
    text = text.replace("\r\n", "\n")
    if text.replace("\n", "").isprintable():
        return text
    return re.sub(CONTROLS, lambda found: found[0].encode("unicode_escape").decode(), text)


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
    # tabs are kept in the indentation, so that the carets are aligned in any terminal
    above = "\t".join(map(visible, text.split("\t")))
    indent = "\t".join(" " * _columns(part) for part in text[:start].split("\t"))
    return above, indent + "^" * max(1, _columns(text[start:stop]))


def _columns(text: str) -> int:
    """The width of a text in a terminal, where some characters take two columns."""
    import unicodedata

    shown = "".join(each if each == "\t" else visible(each) for each in text)
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in shown)


# ---- words ---------------------------------------------------------------------------------------------------------


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The help line for a misspelt word; None if no known word is similar."""
    near = nearest(word, known)
    return f"did you mean `{near}`?" if near else None


MAX_COMPARED = 10  # names that are compared with a misspelt word letter by letter


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The most similar known word, or None."""
    if len(word) > 60:
        return None
    candidates = {name.lower(): name for name in islice(known, 1000) if abs(len(name) - len(word)) < 60}
    if len(candidates) > MAX_COMPARED:  # those of a similar length that share the most letters, also by their places
        letters, length, start = set(word.lower()), len(word), word.lower()[:30]
        best = nlargest(
            MAX_COMPARED,
            candidates,
            lambda name: len(letters.intersection(name)) - abs(len(name) - length) + sum(map(eq, start, name)),
        )
        candidates = {name: candidates[name] for name in best}
    import difflib

    near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[near[0]] if near else None


_SHORT = Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 12
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 60, 60


def short(value: object) -> str:
    """A value of any size as messages show it: at most 12 items of a list, and at most 60 characters of a text."""
    text = value if isinstance(value, str) else _SHORT.repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


def listed(words: Iterable[object], limit: int = 40) -> str:
    """Words separated by commas; those beyond `limit` are counted: `a, b and 3 more`."""
    each: Sequence[str] = [str(word) for word in words]
    more = f" and {len(each) - limit} more" if len(each) > limit else ""
    return ", ".join(each[:limit]) + more


def counted(number: int, noun: str) -> str:
    """1 image, 3,000 images; 2 classes; 1 spatial axis, 2 spatial axes; 2 boundaries."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """class -> classes, axis -> axes, boundary -> boundaries."""
    if noun.endswith("axis"):
        return f"{noun.removesuffix('is')}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun.removesuffix('y')}ies"
    hissing = noun.endswith(("s", "x", "sh", "ch")) and not noun.endswith("epoch")
    return f"{noun}{'es' if hissing else 's'}"
