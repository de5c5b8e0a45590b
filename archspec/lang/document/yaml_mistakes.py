"""What is wrong with a text that is not YAML: the place that must change, and the remedy.

libyaml often notices a mistake lines after it: a key without a colon, a dash without a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from archspec.diagnostics import Source, Span

UP = 3  # lines above the one where libyaml stops, in which a mistake is looked for
RULES: dict[str, Callable[[re.Match[str]], str]] = {
    r"\s*-([A-Za-z_].*?)\s*$": lambda found: f"put a space after the dash: `- {found[1]}`",
    r"\s*(?:- )?([A-Za-z_][\w.-]*)\s*=\s*(.+?)\s*$": lambda found: (
        f"put a colon instead of `=`: `{found[1]}: {found[2]}`"
    ),
    r".*;\s*$": lambda found: "remove the `;` at the end of the line",
    r"\s*(?:- )?([A-Za-z_][\w.-]*)\s+([{\[].*[}\]])\s*$": lambda found: (
        f"put a colon after `{found[1]}`: `{found[1]}: {found[2]}`"
    ),
    r"\s*(?:- )?[\w-]+:\s*('[^']*'\w.*'|'[^']*'\w.*)\s*$": lambda found: (
        "put a text with an apostrophe in double quotes: " + '"' + found[1].strip("'") + '"'
    ),
    r".*[{\[,]\s*(?:[\w$]+:\s*)?\$\([^)]*[\[\],{}]": lambda found: (
        'inside braces and brackets, quote an expression that has a comma or bracket: "$(min(a, b))"'
    ),
    r".*[{,]\s*\w+:\s+[\w.$]+\s+(\w+):\s": lambda found: f"put a comma before `{found[1]}`",
    r".*[}\]]\s*x\s*(\d+)": lambda found: f"for copies of a layer, write `repeat: {found[1]}` beside its operator",
}
"""Pattern of a line -> the remedy."""


def find_mistake(source: Source, span: Span, opened: Span | None, problem: str) -> tuple[Span, str | None]:
    """The place that must change and the remedy, for a place where libyaml stops.

    Args:
        opened: where libyaml says that the brace, bracket or quote was opened.
        problem: what libyaml says.
    """
    line = span.line
    while line > 1 and not source.line(line).strip():
        line -= 1
    near = [number for number in range(line, max(0, line - UP - 1), -1) if source.line(number).strip()]
    for number in near[:2]:
        text = source.line(number)
        if "\t" in text[: len(text) - len(text.lstrip())]:
            return span if span.line == line else _line(source, number), "indent with spaces: YAML does not allow tabs"
    for pattern, remedy in RULES.items():
        for number in near:
            if re.match(pattern, source.line(number)):
                while number > 1 and re.match(pattern, source.line(number - 1)):
                    number -= 1
                place = span if number == span.line else _line(source, number)
                found = re.match(pattern, source.line(number))
                return place, remedy(found) if found else None
    if lacking := _without_colon(source, near):
        word = source.line(lacking.line).strip().removeprefix("- ")
        key, _, value = word.partition(" ")
        return lacking, f"put a colon after `{key}`: `{f'{key}: {value.strip()}'.strip()}`"
    return _of_brackets(source, span, opened, near[:2], problem)


def _line(source: Source, number: int) -> Span:
    """A line without its indentation."""
    text = source.line(number)
    return Span(source, number, len(text) - len(text.lstrip()) + 1, number, len(text.rstrip()) + 1)


def _without_colon(source: Source, near: list[int]) -> Span | None:
    """A line without a colon above one that belongs to the same mapping, or that is indented below it."""
    if len(near) < 2:
        return None
    below, above = (source.line(number) for number in near[:2])
    key = re.match(r"(\s*)(- )?([A-Za-z_][\w-]*)(\s+[^:#{}\[\],]+)?\s*$", above)
    if not key or not re.match(r"\s*(- )?[\w-]+\s*(:|$)", below):
        return None
    depth = len(below) - len(below.lstrip()) - len(key[1])
    beside = depth == 0 and bool(key[4]) and not key[2] and not below.lstrip().startswith("- ")
    inside = not key[4] and not key[2] and (depth > 0 or below.lstrip().startswith("- "))
    return _line(source, near[1]) if beside or inside else None


def _of_brackets(
    source: Source, span: Span, opened: Span | None, near: list[int], problem: str
) -> tuple[Span, str | None]:
    """Mistakes with brackets, quotes, nesting and indentation."""
    lines = [source.line(number).strip() for number in near]
    if len(lines) > 1 and lines[0].startswith("- ") and lines[1].endswith("["):
        return span, "inside brackets, separate the items by commas, without dashes; or remove the brackets"
    if "flow" in problem and opened is not None and opened.line < span.line:
        bracket = source.line(opened.line)[opened.column - 1 : opened.column]
        return opened, f"close the `{bracket}` with `{'}' if bracket == '{' else ']'}`"
    for number in near:
        text = source.line(number)
        for left, right in ("{}", "[]"):
            if text.count(left) < text.count(right):
                return span, f"remove a `{right}`, or open it with `{left}`"
            if text.count(left) > text.count(right):
                return span, "close the braces and brackets on this line"
        if re.search(r"[{,]\s*\w+:[^\s,}]", text):
            return span, "put a space after each colon: `{filters: 64}`"
    if "quoted scalar" in problem:
        return span, "close the quote"
    here = source.line(near[0]) if near else ""
    if "mapping values are not allowed" in problem:
        nested = re.match(r"\s*(?:- )?([\w-]+):\s+([\w-]+):\s+([^:#]+?)\s*$", here)
        if nested:
            return span, f"put the inner mapping in braces: `{nested[1]}: {{{nested[2]}: {nested[3]}}}`"
        prose = re.match(r"\s*(?:- )?([\w-]+):\s+([^'\"{}\[\]#]+: [^'\"#]*?)\s*$", here)
        if prose and span.line == near[0]:
            return span, f'put quotes around text that contains `: `: `{prose[1]}: "{prose[2]}"`'
        return span, "put quotes around text that contains `: `"
    if "block" not in problem:
        return span, None
    above = source.line(near[1]) if len(near) > 1 else ""
    spaces = len(above) - len(above.lstrip())
    if here.lstrip().startswith("- ") and above.lstrip().startswith("- ") and span.line == near[0]:
        return span, f"start this line with {spaces} spaces, as line {near[1]}"
    return span, "check the indentation of this line"
