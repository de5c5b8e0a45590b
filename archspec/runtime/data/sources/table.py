"""A table of image files, CSV or Parquet, with the columns `path`, `label` and optionally `split`."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from archspec.diagnostics import ArchspecError, counted, did_you_mean, fail, listed, printable
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.labels import check_labels
from archspec.runtime.data.sources.number_labels import whole_numbers
from archspec.runtime.data.sources.parts import KINDS, Parts, part_kind
from archspec.runtime.data.sources.source import DataSource

COLUMNS = {
    "path": ("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path"),
    "label": ("label", "labels", "class", "class_name", "category"),
    "split": ("split", "subset", "set", "part", "partition"),
}
"""The names of each column in any case, the preferred ones first. `split` is optional."""
WORDS = tuple(word for words in KINDS.values() for word in words)


class TableRow(NamedTuple):
    """A row of a table: its number, from 1, and its cells; `split` is "" in a table without that column."""

    number: int
    file: str
    label: str
    split: str = ""


class TableFile(DataSource):
    """Columns `path`, `label` and optionally `split` (`train`, `val`, ...); a Parquet file needs pyarrow.

    The columns may also be called `filename`, `class`, `subset` and so on; other columns are not used. Paths are
    relative to the folder of the table and stay inside it. Classes are sorted by name, or by value if all labels are
    whole numbers.
    """

    name = "table"
    only_lists = True
    forms = ("FILE.csv", "FILE.parquet")
    suffixes = (".csv", ".parquet")
    extra = "parquet"

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        """Raises data-classes too, for a label that no training image has."""
        path = Path(data)
        unused: list[str] = []
        read = self._parquet if path.suffix.lower() == ".parquet" else _csv
        rows = list(read(path, unused))
        if not rows:
            raise fail("data-empty", f"`{path}` has no rows")
        if usual := whole_numbers({row.label for row in rows if row.label}):
            rows = [row._replace(label=usual.get(row.label, row.label)) for row in rows]
        _check_rows(path, rows)
        parts: dict[str, list[TableRow]] = {}
        for row in rows:
            parts.setdefault(row.split.lower(), []).append(row)
        training = [row for row in rows if part_kind(row.split) == "train"]
        names = _classes(row.label for row in training or rows)
        check_labels(names, lambda fact, help: fail("data-format", f"`{printable(data)}`: {fact}", help=help))
        images = {part: _images(path, names, own) for part, own in parts.items()}
        return Parts.of(images, unused=[f"column `{name}`" for name in unused])

    def _parquet(self, path: Path, unused: list[str]) -> Iterable[TableRow]:
        try:
            from pyarrow import ArrowException, parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            raise self.missing_package(str(path), "pyarrow", "save the table as CSV") from error
        try:
            table: Any = parquet.ParquetFile(path)
            header = list(table.schema_arrow.names)
            columns = [header[place] for place in _places(path, header)]
            unused += [name for name in header if name not in columns]
            batches = (batch.select(columns).columns for batch in table.iter_batches(columns=columns))
            rows = (cells for batch in batches for cells in zip(*(column.to_pylist() for column in batch), strict=True))
            for number, cells in enumerate(rows, 1):
                yield TableRow(number, *("" if cell is None else str(cell) for cell in cells))
        except ArrowException as error:
            raise fail(
                "data-format", f"cannot read `{path}` as Parquet", notes=[f"pyarrow says: {str(error).splitlines()[0]}"]
            ) from error


def _check_rows(path: Path, rows: Sequence[TableRow]) -> None:
    """Raises data-format for empty cells, a wrong split, and an image with two labels."""
    seen: dict[str, TableRow] = {}
    for row in rows:
        if not row.file or not row.label:
            raise _wrong(path, row.number, f"has no {'label' if row.file else 'path'}")
        if "\0" in row.file:
            raise _wrong(path, row.number, f"has a zero byte in its path: `{row.file}`")
        near = None if part_kind(row.split) else did_you_mean(row.split, WORDS)
        if near:
            raise _wrong(path, row.number, f"has the split `{printable(row.split)}`", near)
        if bool(row.split) != bool(rows[0].split):
            empty = row if rows[0].split else rows[0]
            raise _wrong(path, empty.number, "has no split, but other rows have one")
        first = seen.setdefault(os.path.normpath(row.file), row)
        if first.label != row.label:
            raise _wrong(
                path,
                row.number,
                f"labels `{row.file}` as `{row.label}`, but row {first.number} labels it as `{first.label}`",
                "an image has one label: remove one of the rows",
            )


def _images(path: Path, names: Sequence[str], rows: Sequence[TableRow]) -> Images:
    numbers = {name: number for number, name in enumerate(names)}
    root = os.path.abspath(path.parent)
    files = []
    for row in rows:
        whole = os.path.normpath(os.path.join(root, row.file))
        if os.path.commonpath([root, whole]) != root or whole == root:
            raise _wrong(
                path,
                row.number,
                f"has a path outside `{path.parent}`: `{row.file}`",
                "paths are relative to the folder of the table, and images must be inside it",
            )
        if row.label not in numbers:
            raise fail(
                "data-classes",
                f"row {row.number:,} of `{path}` has the label `{row.label}`, which no training image has",
                help=did_you_mean(row.label, names),
            )
        files.append(str(path.parent / os.path.relpath(whole, root)))
    labels = np.array([numbers[row.label] for row in rows], np.int32)
    return Images(tuple(names), labels, files=tuple(files))


def _classes(labels: Iterable[str]) -> list[str]:
    names = set(labels)
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _csv(path: Path, unused: list[str]) -> Iterable[TableRow]:
    """The rows; adds the names of the columns that are not used to `unused`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = [name.strip() for name in next(lines, [])]
            places = _places(path, header)
            unused += [name for place, name in enumerate(header) if name and place not in places]
            for number, cells in enumerate(lines, 1):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise _wrong(path, number, f"has {counted(len(cells), 'cell')}, but the header has {len(header)}")
                yield TableRow(number, *(cells[place].strip() for place in places))
    except UnicodeDecodeError as error:
        raise fail("data-format", f"`{path}` is not UTF-8 text", help="save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise fail("data-format", f"cannot read `{path}` as CSV: {error}") from error


def _places(path: Path, header: Sequence[str]) -> list[int]:
    """Indices of the columns path, label and, if it exists, split. Raises data-format."""
    lower, found = [name.lower() for name in header], []
    for column, names in COLUMNS.items():
        name = next((name for name in names if name in lower), None)
        if name is not None:
            found.append(lower.index(name))
        elif column != "split":
            notes = [f"its columns are {listed(f'`{each}`' for each in header)}" if header else "it is empty"]
            help = "the first line names the columns: `path,label` or `path,label,split`"
            if len(header) == 1 and re.search(r"[;\t|]", header[0]):
                help = "separate the columns by commas"
            raise fail("data-format", f"`{path}` has no column `{column}`", notes=notes, help=help)
    return found


def _wrong(path: Path, number: int, fact: str, help: str | None = None) -> ArchspecError:
    return fail("data-format", f"row {number:,} of `{path}` {fact}", help=help)
