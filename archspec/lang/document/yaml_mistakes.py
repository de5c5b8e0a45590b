"""What is wrong with a text that is not YAML: the place that must change, and the remedy.

libyaml often notices a mistake lines after it: a key without a colon, a dash without a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from archspec.diagnostics import Source, Span

KEYS_OF_LAYERS = ("name", "from", "repeat", "share", "when")  # the keys beside an operator whose values are short
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
    r".*[{,]\s*\w+:\s+[\w.$]+\s+(\w+):\s": lambda found: f"put a comma before `{found[1]}`",
    r".*[{,]\s*([\w$-]+):\s+([^\s\"'{}\[\],]+: [^,{}\[\]]*)": lambda found: (
        f'put quotes around text that contains `: `: `{found[1]}: "{found[2].strip()}"`'
    ),
    r".*[{,]\s*,": lambda found: "remove a comma",
    r"\s*- ([\w-]+):\s+([^\s'\"{}\[\]#:][^'\"{}\[\]#:]*?)[\s,]+([a-z_]+):\s": lambda found: (
        f"put braces around the layer: `- {{{found[1]}: {found[2]}, {found[3]}: ...}}`"
        if {found[1], found[3]} & {*KEYS_OF_LAYERS}
        else f"put braces around several arguments, each with its name: `{found[1]}: {{..., {found[3]}: ...}}`"
    ),
    r"\s*- ?:\s": lambda found: "write the name of the operator before the colon",
    r"\s*(?:--|[•–—*+])\s*([A-Za-z_{].*?)\s*$": lambda found: f"start the line with `- `: `- {found[1]}`",
    r"\s*//": lambda found: "start a comment with `#`",
    r".*:\s+([|>])\s*[^\s#+-]": lambda found: f"put quotes around text that starts with `{found[1]}`",
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
    if cut := expression_at(source, span):
        return cut, quoted(cut)
    if help := _of_character(source.line(span.line)[span.column - 1 :], problem):
        return span, help
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


def expression_at(source: Source, span: Span) -> Span | None:
    """The expression around a place, up to its last bracket: `$(min(a, b))`, `$shape[0]`. None if there is none."""
    text = source.line(span.line)
    for found in re.finditer(r"(?<![\w$\"'])\$", text[: span.column]):
        end, depth = found.end(), 0
        while end < len(text) and (depth or re.match(r"[\w(\[{]", text[end])):
            depth += (text[end] in "([{") - (text[end] in ")]}")
            end += 1
        if not depth and found.start() < span.column - 1 < end:
            return Span(source, span.line, found.start() + 1, span.line, end + 1)
    return None


def quoted(span: Span) -> str:
    """The remedy for an expression that YAML ends at its comma or bracket."""
    text = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
    if re.fullmatch(r"\$\{\w+\}", text):
        return f"write `${text[2:-1]}`"
    written = text if text.startswith("$(") else f"$({text[1:]})"
    return f'inside braces and brackets, put an expression with a comma or bracket in quotes: `"{written}"`'


def _of_character(rest: str, problem: str) -> str | None:
    """The remedy for a character with a meaning in YAML; `rest` is the line from there."""
    if "cannot start any token" in problem:
        if rest[:1] == "\t":
            return "indent with spaces: YAML does not allow tabs"
        parameter = re.match(r"[@%](\w+)\s*([,}\]]|$)", rest)
        meant = f"; the value of a parameter is `${parameter[1]}`" if parameter else ""
        start = "a backtick" if rest[:1] == "`" else f"`{rest[:1]}`"
        return f"put quotes around text that starts with {start}{meant}"
    if "scanning a tag" in problem:
        return "put quotes around text that starts with `!`"
    if "expected <document start>" in problem:
        return "remove the line `...`, which ends the spec"
    return None


def _line(source: Source, number: int) -> Span:
    """A line without its indentation."""
    text = source.line(number)
    return Span(source, number, len(text) - len(text.lstrip()) + 1, number, len(text.rstrip()) + 1)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


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
        if len(near) > 1 and re.match(r"\s*[\w-]+:\s", here) and _indent(here) > _indent(source.line(near[1])):
            return _line(source, near[0]), "check the indentation of this line"
        return span, "put quotes around text that contains `: `"
    above = source.line(near[1]) if len(near) > 1 else ""
    spaces = _indent(above)
    if above.lstrip().startswith("- ") and _indent(here) == spaces and re.match(r"\s*[\w-]+(:|$)", here.rstrip()):
        return _line(source, near[0]), f"start the line with `- `: `- {here.strip()}`"
    if "block" not in problem:
        return span, None
    if here.lstrip().startswith("- ") and above.lstrip().startswith("- ") and span.line == near[0]:
        return span, f"start this line with {spaces} spaces, as line {near[1]}"
    return span, "check the indentation of this line"
