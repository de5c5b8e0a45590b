"""What commands print to the terminal: diagnostics in color, lines of progress, lists of commands."""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterable, Mapping

import click

from archspec import api
from archspec.diagnostics import Diagnostic, render, terminal_text
from archspec.format import wrapped

SUBSTITUTES = {"─": "-", "↑": "^", "→": "->", "×": "x", "…": "...", "·": "."}
"""For the characters of tables where the encoding of the output has none of them, as in many terminals of Windows."""
LEAST_WIDTH = 40
"""Of a terminal; narrower ones break the lines themselves."""


class SentenceGroup(click.Group):
    """A group whose help shows the first sentence of each command in full; click cuts it off at the line's end."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries(ctx).items()))

    def summaries(self, ctx: click.Context) -> Mapping[str, str]:
        """The first sentence of each command."""
        return {name: command.get_short_help_str(limit=1000) for name, command in self.commands.items()}


class FittedFormatter(click.HelpFormatter):
    """Breaks the long lines of preformatted paragraphs too, below the column where their text begins."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        if width is None:  # as click finds it, but without shutil, which imports all compression libraries
            width = max(min(terminal_width() or 80, max_width or 80) - 2, 50)
        super().__init__(indent_increment, width, max_width)

    def getvalue(self) -> str:
        lines = super().getvalue().split("\n")
        return "\n".join(part for line in lines for part in _hanging(line, self.width))


def _hanging(line: str, width: int) -> list[str]:
    """A line of two columns, such as a term and its meaning, broken so that its rest is below the second column."""
    if len(line) <= width:
        return [line]
    import textwrap

    start = re.match(r"\s*(?:\S+(?: \S+)*\s{2,})?", line)
    column = start.end() if start and start.end() <= width // 2 else len(line) - len(line.lstrip()) + 2
    return textwrap.wrap(
        line, width, subsequent_indent=" " * column, break_long_words=False, break_on_hyphens=False
    ) or [line]


click.Context.formatter_class = FittedFormatter


class DataCommand(click.Command):
    """A command whose help lists the data sources."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        with formatter.section("DATA is one of"):
            formatter.write_dl(api.data_sources())


def print_in_any_encoding() -> None:
    """Let characters that the encoding of the output lacks be substituted or escaped, instead of ending the command."""
    codecs.register_error("archspec", _substituted)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="archspec")


def _substituted(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    escaped = (SUBSTITUTES.get(each) or each.encode("ascii", "backslashreplace").decode() for each in missing)
    return "".join(escaped), error.end


def terminal_width() -> int | None:
    """Columns of the terminal; None where standard output is no terminal and COLUMNS is not set."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return max(int(given), LEAST_WIDTH)
    try:
        return max(os.get_terminal_size(sys.stdout.fileno()).columns, LEAST_WIDTH)
    except (OSError, AttributeError, ValueError):
        return None


def echo(text: str, format: str = "text") -> None:
    """Print a report; long lines of the format `text` are broken to the width of the terminal."""
    text = terminal_text(text)
    click.echo(wrapped(text) if format == "text" else text)


def progress_line(line: str) -> None:
    """Print a line of progress to standard error."""
    click.echo(wrapped(terminal_text(line)), err=True)


def print_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to standard error, in color unless NO_COLOR is set (no-color.org)."""
    look = str if os.environ.get("NO_COLOR") else colored
    texts = [look(render(diagnostic)) for diagnostic in diagnostics]
    click.echo("\n\n".join(texts), err=True, nl=bool(texts))


def colored(text: str) -> str:
    """A rendered diagnostic with its first line in bold, carets and help in color; click drops colors for a file."""
    first, *others = text.split("\n")
    code, _, message = first.partition(": ")
    color = "yellow" if code.startswith("warning") else "red"
    lines = [click.style(code, fg=color, bold=True) + click.style(f": {message}", bold=True)]
    for line in others:
        stripped = line.lstrip()
        if stripped.startswith("= help:"):
            line = click.style(line, fg="green")
        elif set(stripped) <= {"|", " ", "^"} and "^" in stripped:
            line = click.style(line, fg="red")
        lines.append(line)
    return "\n".join(lines)
