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
from archspec.runtime.data.sources.number_labels import whole_numbers
from archspec.runtime.data.sources.parts import KINDS, Parts, part_kind
from archspec.runtime.data.sources.source import DataSource
from archspec.targets import LabelColumn
from archspec.targets.label_column import joined
from archspec.targets.label_text import check_labels

COLUMNS = {
    "path": ("path", "filepath", "file_path", "filename", "file_name", "file", "image", "image_path"),
    "label": ("label", "labels", "class", "class_name", "category"),
    "split": ("split", "subset", "set", "part", "partition"),
}
"""The names of each column in any case, the preferred ones first. `split` is optional."""
MISSING = ("nan", "<na>", "nat")
"""What pandas writes for missing values, in lower case. `None` and `NA` may be names of classes."""
ROW = "complete the row, or remove it"
WORDS = tuple(word for words in KINDS.values() for word in words)


LABEL = "label:"
"""What the name of one of several label columns starts with: `label:color`."""


class TableRow(NamedTuple):
    """A row of a table: its number, from 1, and its cells; `split` is "" in a table without that column."""

    number: int
    file: str
    labels: tuple[str, ...]
    split: str = ""

    @property
    def label(self) -> str:
        """The cells of all label columns, as messages show them."""
        return ", ".join(self.labels)


class TableLayout(NamedTuple):
    """The columns of a table that are used, by their indices."""

    path: int
    labels: tuple[int, ...]
    split: int | None
    names: tuple[str, ...]
    """Of the label columns: "" for `label`, `color` for `label:color`."""
    numeric: bool
    """Whether the table has no label column, and its other columns may be one-hot, or numbers to predict."""

    @property
    def is_plain(self) -> bool:
        """Whether there is one column `label`."""
        return self.names == ("",)

    def row(self, number: int, cells: Sequence[str]) -> TableRow:
        split = "" if self.split is None else cells[self.split]
        return TableRow(number, cells[self.path], tuple(cells[place] for place in self.labels), split)

    def unused(self, header: Sequence[str]) -> list[str]:
        used = {self.path, self.split, *self.labels}
        return [f"column `{name}`" for place, name in enumerate(header) if name and place not in used]


class TableFile(DataSource):
    """Columns `path`, `label` and optionally `split` (`train`, `val`, ...); a Parquet file needs pyarrow.

    The columns may also be called `filename`, `class`, `subset` and so on; other columns are not used. Paths are
    relative to the folder of the table and stay inside it. Classes are sorted by name, or by value if all labels are
    whole numbers.

    For networks with other outputs than one softmax: `label` may have several labels (`cat;dog`) or a number; columns
    `label:color`, `label:shape` are for the outputs of these names; without a label column, columns of numbers are
    one-hot, or values to predict.
    """

    name = "table"
    only_lists = True
    forms = ("FILE.csv", "FILE.parquet")
    suffixes = (".csv", ".parquet")
    extra = "parquet"

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        """Raises data-classes too, for a label that no training image has."""
        path = Path(data)
        header, layout, rows = self._read(path)
        if layout.numeric:
            raise _no_column(path, "label", header)
        if not layout.is_plain:
            columns = listed(f"`{LABEL}{printable(name)}`" for name in layout.names)
            help = "train and evaluate a network with an output for each column, or name one of the columns `label`"
            raise fail("data-format", f"`{path}` has the label columns {columns}", help=help)
        if usual := whole_numbers({row.label for row in rows if row.label}):
            rows = [row._replace(labels=(usual.get(row.label, row.label),)) for row in rows]
        _check_rows(path, rows)
        training = [row for row in rows if part_kind(row.split) == "train"]
        names = _classes(row.label for row in training or rows)
        check_labels(names, lambda fact, help: fail("data-format", f"`{printable(data)}`: {fact}", help=help))
        images = {part: _images(path, names, own) for part, own in _parts(rows).items()}
        return Parts.of(images, unused=layout.unused(header))

    def has_classes(self, data: str) -> bool:
        _, layout, rows = self._read(Path(data))
        if not layout.is_plain:
            return False
        try:
            check_labels({row.label for row in rows}, lambda fact, help: fail("data-format", fact, help=help))
        except ArchspecError:
            return False
        return True

    def open_columns(self, data: str, *, channels: int, report: Report) -> Parts:
        path = Path(data)
        header, layout, rows = self._read(path)
        _check_rows(path, rows, empty=True)
        columns = [_label_column(name, [row.labels[place] for row in rows]) for place, name in enumerate(layout.names)]
        if layout.numeric:
            matrix = joined(columns)
            if matrix is None:
                raise _no_column(path, "label", header)
            columns = [matrix]
        images = {}
        for part, own in _parts(rows).items():
            places = np.array([place for place, row in enumerate(rows) if row.split.lower() == part], np.int64)
            of_part = tuple(column.only(places) for column in columns)
            images[part] = Images((), np.zeros(len(own), np.int32), files=_files(path, own), columns=of_part)
        return Parts.of(images, unused=layout.unused(header))

    def _read(self, path: Path) -> tuple[list[str], TableLayout, list[TableRow]]:
        """The header, the layout and the rows. Raises data-format, data-empty."""
        read = self._parquet if path.suffix.lower() == ".parquet" else _csv
        header, cells = read(path)
        layout = _layout(path, header)
        rows = [layout.row(number, row) for number, row in cells]
        if not rows:
            raise fail("data-empty", f"`{path}` has no rows")
        return header, layout, rows

    def _parquet(self, path: Path) -> tuple[list[str], list[Cells]]:
        try:
            from pyarrow import ArrowException, parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError as error:
            raise self.missing_package(str(path), "pyarrow", "save the table as CSV") from error
        try:
            table: Any = parquet.ParquetFile(path)
            header = list(table.schema_arrow.names)
            layout = _layout(path, header)
            used = sorted({layout.path, *layout.labels, *([] if layout.split is None else [layout.split])})
            rows: list[Cells] = []
            for batch in table.iter_batches(columns=[header[place] for place in used]):
                columns = {place: batch.column(header[place]).to_pylist() for place in used}
                for each in zip(*columns.values(), strict=True):
                    cells = [""] * len(header)
                    for place, cell in zip(columns, each, strict=True):
                        cells[place] = "" if cell is None else str(cell)
                    rows.append((len(rows) + 1, cells))
            return header, rows
        except ArrowException as error:
            raise fail(
                "data-format", f"cannot read `{path}` as Parquet", notes=[f"pyarrow says: {str(error).splitlines()[0]}"]
            ) from error


Cells = tuple[int, list[str]]
"""The number of a row, from 1, and its cells."""


def _parts(rows: Sequence[TableRow]) -> dict[str, list[TableRow]]:
    parts: dict[str, list[TableRow]] = {}
    for row in rows:
        parts.setdefault(row.split.lower(), []).append(row)
    return parts


def _label_column(name: str, cells: Sequence[str]) -> LabelColumn:
    if usual := whole_numbers({cell for cell in cells if cell}):
        cells = [usual.get(cell, cell) for cell in cells]
    different = tuple(_classes(cells))
    place = {cell: number for number, cell in enumerate(different)}
    return LabelColumn(name, different, np.array([place[cell] for cell in cells], np.int32))


def _check_rows(path: Path, rows: Sequence[TableRow], *, empty: bool = False) -> None:
    """Raises data-format for empty cells (labels may be `empty`), a wrong split, and an image with two labels."""
    seen: dict[str, TableRow] = {}
    for row in rows:
        if not row.file or not (row.label or empty):
            raise _wrong(path, row.number, f"has no {'label' if row.file else 'path'}", ROW)
        if missing := next((label for label in row.labels if label.lower() in MISSING), None):
            raise _wrong(path, row.number, f"has the label `{missing}`, which stands for a missing value", ROW)
        if "\0" in row.file:
            raise _wrong(path, row.number, f"has a zero byte in its path: `{row.file}`")
        near = None if part_kind(row.split) else did_you_mean(row.split, WORDS)
        if near:
            raise _wrong(path, row.number, f"has the split `{printable(row.split)}`", near)
        if bool(row.split) != bool(rows[0].split):
            without = row if rows[0].split else rows[0]
            raise _wrong(path, without.number, "has no split, but other rows have one")
        first = seen.setdefault(os.path.normpath(row.file), row)
        if first.labels != row.labels:
            raise _wrong(
                path,
                row.number,
                f"labels `{row.file}` as `{row.label}`, but row {first.number} labels it as `{first.label}`",
                "an image has one row: remove the other, or write several labels into it as `cat;dog`",
            )


def _files(path: Path, rows: Sequence[TableRow]) -> tuple[str, ...]:
    """The paths of the images. Raises data-format for one outside of the folder of the table."""
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
        files.append(str(path.parent / os.path.relpath(whole, root)))
    return tuple(files)


def _images(path: Path, names: Sequence[str], rows: Sequence[TableRow]) -> Images:
    numbers = {name: number for number, name in enumerate(names)}
    files = _files(path, rows)
    for row in rows:
        if row.label not in numbers:
            raise fail(
                "data-classes",
                f"row {row.number:,} of `{path}` has the label `{row.label}`, which no training image has",
                help=did_you_mean(row.label, names),
            )
    labels = np.array([numbers[row.label] for row in rows], np.int32)
    return Images(tuple(names), labels, files=files)


def _classes(labels: Iterable[str]) -> list[str]:
    names = set(labels)
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _csv(path: Path) -> tuple[list[str], list[Cells]]:
    """The names of the columns, and the rows. Raises data-format."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = [name.strip() for name in next(lines, [])]
            _layout(path, header)  # a wrong header is reported before a wrong row
            rows: list[Cells] = []
            for number, cells in enumerate(lines, 1):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise _wrong(path, number, f"has {counted(len(cells), 'cell')}, but the header has {len(header)}")
                rows.append((number, [cell.strip() for cell in cells]))
            return header, rows
    except UnicodeDecodeError as error:
        raise fail("data-format", f"`{path}` is not UTF-8 text", help="save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise fail("data-format", f"cannot read `{path}` as CSV: {error}") from error


def _layout(path: Path, header: Sequence[str]) -> TableLayout:
    """The columns path, label and, if it exists, split. Raises data-format."""
    lower = [name.lower() for name in header]
    found = {
        column: next((lower.index(name) for name in names if name in lower), None) for column, names in COLUMNS.items()
    }
    place, split = found["path"], found["split"]
    if place is None:
        raise _no_column(path, "path", header)
    named = [number for number, name in enumerate(lower) if name.startswith(LABEL)]
    names = tuple(header[number][len(LABEL) :].strip() for number in named)
    label = found["label"]
    if named and (label is not None or len(set(names)) < len(names) or "" in names):
        columns = listed(f"`{printable(name)}`" for name in header if name.lower().startswith("label"))
        help = "name every label column after an output of the network: `label:color`, `label:shape`"
        raise fail("data-format", f"`{path}` has the columns {columns}", help=help)
    if named:
        return TableLayout(place, tuple(named), split, names, numeric=False)
    if label is not None:
        return TableLayout(place, (label,), split, ("",), numeric=False)
    others = [number for number, name in enumerate(header) if name and number not in (place, split)]
    if not others:
        raise _no_column(path, "label", header)
    return TableLayout(place, tuple(others), split, tuple(header[number] for number in others), numeric=True)


def _no_column(path: Path, column: str, header: Sequence[str]) -> ArchspecError:
    notes = [f"its columns are {listed(f'`{each}`' for each in header)}" if header else "it is empty"]
    help = "the first line names the columns: `path,label` or `path,label,split`"
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        help = "separate the columns by commas"
    return fail("data-format", f"`{path}` has no column `{column}`", notes=notes, help=help)


def _wrong(path: Path, number: int, fact: str, help: str | None = None) -> ArchspecError:
    return fail("data-format", f"row {number:,} of `{path}` {fact}", help=help)
