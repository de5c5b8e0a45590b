"""A table as papers print it: cells that span columns and rows, lines in bold, brackets with a factor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Line(NamedTuple):
    """A line of a cell."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Part:
    """Lines under one another; `times` puts them in brackets: `[3×3, 64; 3×3, 64] × 2`."""

    lines: tuple[Line, ...]
    times: int | None = None


@dataclass(frozen=True)
class Cell:
    """A cell: parts under one another, over several columns and rows of the grid."""

    parts: tuple[Part, ...]
    columns: int = 1
    rows: int = 1
    heading: bool = False
    top: bool = False
    """Whether the text begins at the top of the cell instead of in its middle."""

    @property
    def text(self) -> str:
        """The cell in one line: `[3×3, 64; 3×3, 64] × 2`."""
        return ", ".join(map(inline, self.parts))


@dataclass(frozen=True)
class PaperTable:
    """A table with a title above it and notes below it. Each row has the cells that begin in it."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """The number of columns."""
        return sum(cell.columns for cell in self.rows[0])

    @property
    def headings(self) -> int:
        """The number of rows at the top that have headings only."""
        count = 0
        for row in self.rows:
            if not all(cell.heading for cell in row):
                break
            count += 1
        return count

    def placed(self) -> Iterator[tuple[int, int, Cell]]:
        """(row, column, cell) of every cell in the grid."""
        taken: set[tuple[int, int]] = set()
        for y, row in enumerate(self.rows):
            x = 0
            for cell in row:
                while (y, x) in taken:
                    x += 1
                yield y, x, cell
                taken.update((y + i, x + j) for i in range(cell.rows) for j in range(cell.columns))
                x += cell.columns

    def grid(self) -> list[list[str]]:
        """The text at every place of the grid; a cell over several columns or rows is repeated at each."""
        grid = [["" for _ in range(self.width)] for _ in self.rows]
        for y, x, cell in self.placed():
            for i in range(cell.rows):
                for j in range(cell.columns):
                    grid[y + i][x + j] = cell.text
        return grid


def inline(part: Part) -> str:
    """A part in one line."""
    if part.times is None:
        return ", ".join(line.text for line in part.lines)
    return f"[{'; '.join(line.text for line in part.lines)}] × {part.times}"


def cell(*lines: str, bold: bool = False, columns: int = 1, rows: int = 1, heading: bool = False) -> Cell:
    """A cell with these lines."""
    return Cell((Part(tuple(Line(line, bold) for line in lines)),), columns, rows, heading)
