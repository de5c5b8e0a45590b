"""Numbers, bytes, durations and tables as text."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

LEAST_COLUMN = 6
"""Characters of a cell that a narrow terminal leaves at least."""
BYTE_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}


@lru_cache(maxsize=1024, typed=True)  # the layers of a network repeat their numbers
def count(number: int | None) -> str:
    """`138.4M`; exact below 10,000; `?` for None."""
    if number is None:
        return "?"
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size and number >= 10_000:
            return f"{number / size:.4g}{unit}"
    return str(number)


@lru_cache(maxsize=1024, typed=True)
def byte_size(size: float | None) -> str:
    """`12.3 MB`, in SI units (powers of ten); `?` for None."""
    if size is None:
        return "?"
    for unit, step in (("PB", 10**15), ("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{size / step:,.1f} {unit}"
    return f"{size:.0f} B"


def parse_bytes(text: str) -> float | None:
    """`80GB` -> 80e9, `24GiB` -> 24 * 2^30, `512MB`; None for text that is not a size."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?)b?", text.strip(), re.IGNORECASE)
    unit = found and BYTE_UNITS.get(found[2].lower())
    return float(found[1]) * unit if found and unit else None


def throughput(images_per_second: float) -> str:
    """`1,234`, `56.7`, `0.042`: at least three significant digits."""
    if images_per_second >= 100:
        return f"{images_per_second:,.0f}"
    return f"{images_per_second:.3g}"


def duration(seconds: float) -> str:
    """`7.3 s`, `4:05 min`, `2:03 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


_width: int | None = None


@contextmanager
def fitted(width: int | None) -> Iterator[None]:
    """In the block, the lines of a Table have at most this many characters; None for no bound."""
    global _width
    before, _width = _width, width
    try:
        yield
    finally:
        _width = before


def fitted_width() -> int | None:
    """The width of `fitted`; None for no bound."""
    return _width


def wrapped(text: str) -> str:
    """The text with long lines broken at spaces to the width of `fitted`; the rest of a line is indented."""
    if _width is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _parts(line, _width))


def _parts(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    import textwrap

    indent = " " * (len(line) - len(line.lstrip()) + 2)
    lines = textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return lines or [line[:width]]


def _line_width(widths: Collection[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _narrowed(widths: list[int]) -> list[int]:
    """The widths of the columns with the widest ones reduced until a line fits."""
    widths = list(widths)
    while _width is not None and _line_width(widths) > _width and max(widths) > LEAST_COLUMN:
        widths[widths.index(max(widths))] -= 1
    return widths


def _cut(cell: str, width: int) -> str:
    """The cell, or as much of it as fits: the end of a path, the start of other text."""
    if len(cell) <= width:
        return cell
    return f"…{cell[len(cell) - width + 1 :]}" if "/" in cell else f"{cell[: width - 1]}…"


class Table(NamedTuple):
    """Rows of cells under headings."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Collection[str] = ()
    """Headings of the columns that are aligned to the right."""
    optional: Sequence[str] = ()
    """Headings of the columns that a narrow terminal leaves out, the first one first."""

    def left_out(self) -> list[str]:
        """The headings that do not fit into the width of `fitted`."""
        if _width is None:
            return []
        kept = dict(zip(self.headings, self._widths(), strict=True))
        found: list[str] = []
        for heading in self.optional:
            if _line_width(kept.values()) <= _width:
                break
            found.append(heading)
            del kept[heading]
        return found

    def _widths(self) -> list[int]:
        return [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]

    def lines(self) -> list[str]:
        """The headings, then the rows, as lines of aligned columns; without the first line if no heading has text.

        Within `fitted`, columns are left out and long cells cut until the lines fit.
        """
        left_out = self.left_out()
        if left_out:
            places = [place for place, heading in enumerate(self.headings) if heading not in left_out]
            rows = [[cells[place] for place in places] for cells in self.rows]
            return Table([self.headings[place] for place in places], rows, self.right).lines()
        table: Sequence[Sequence[str]] = [self.headings, *self.rows] if any(self.headings) else self.rows
        if not table:
            return []
        needed = [max(map(len, column)) for column in zip(*table, strict=True)]
        widths = _narrowed(needed)
        if widths != needed:
            table = [[_cut(cell, width) for cell, width in zip(cells, widths, strict=True)] for cells in table]
        line = "  ".join(
            f"{{:{'>' if heading in self.right else '<'}{max(1, width)}}}"
            for heading, width in zip(self.headings, widths, strict=True)
        )
        return [line.format(*cells).rstrip() for cells in table]

    def markdown(self) -> list[str]:
        """The lines of a Markdown table."""
        rule = ["---:" if heading in self.right else "---" for heading in self.headings]
        table = [self.headings, rule, *([cell.replace("|", "\\|") for cell in row] for row in self.rows)]
        return [f"| {' | '.join(cells)} |" for cells in table]


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """CSV with a line of headings, without a final line end."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return out.getvalue().rstrip("\n")


def rule(lines: Iterable[str]) -> str:
    """A horizontal line as wide as the widest of the lines."""
    return "─" * max(map(len, lines), default=0)
