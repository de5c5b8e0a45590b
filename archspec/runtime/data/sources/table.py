"""Image files listed in a table: columns `path`, `label` and, if it is split, `split`; CSV or Parquet."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archspec.diagnostics import ArchspecError, did_you_mean, fail, listed
from archspec.ops.base import counted
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.select import PARTS, VALIDATION, Parts
from archspec.runtime.data.sources.folder import one_class

COLUMNS = ("path", "label")
SPLITS = ("train", *VALIDATION)
SUFFIXES = (".csv", ".parquet")
Row = tuple[int, str, str, str]
"""Number in the file, from 1; path, label, split ("" where it is not split)."""


def open_table(path: Path) -> Parts:
    """The images that a table lists, in its order; paths are those from its folder, and stay inside it.

    Labels are the names of the classes, in the order of the alphabet, or of the numbers where all are whole numbers.
    Raises data-format, data-empty, data-one-class, data-classes, missing-package.
    """
    rows = list(_parquet(path) if path.suffix.lower() == ".parquet" else _csv(path))
    if not rows:
        raise fail("data-empty", f"`{path}` lists no images")
    _check_labels(path, rows)
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(_split(path, row), []).append(row)
    if "" in parts and len(parts) > 1:
        raise _wrong(path, parts[""][0][0], "has no split, and others have one")
    names = _classes(row[2] for row in parts.get("train", rows))
    if len(names) == 1:
        raise one_class(str(path), names[0])
    root = os.path.abspath(path.parent)
    return {name: _images(path, root, names, parts[name]) for name in PARTS if name in parts}


def _check_labels(path: Path, rows: Sequence[Row]) -> None:
    """Raises data-format when an image is listed with two labels."""
    seen: dict[str, Row] = {}
    for row in rows:
        number, file, label, _ = row
        first = seen.setdefault(os.path.normpath(file), row)
        if first[2] != label:
            fact = f"gives `{file}` the label `{label}`, and row {first[0]:,} `{first[2]}`"
            raise _wrong(path, number, fact, "an image has one label: leave one of the rows out")


def _images(path: Path, root: str, names: Sequence[str], rows: Sequence[Row]) -> Images:
    numbers = {name: number for number, name in enumerate(names)}
    files, labels = [], []
    for number, file, label, _ in rows:
        whole = os.path.normpath(os.path.join(root, file))
        if os.path.commonpath([root, whole]) != root or whole == root:
            help = "paths are relative to the table, which lies in a folder above all its images"
            raise _wrong(path, number, f"leads out of `{path.parent}`: `{file}`", help)
        if label not in numbers:
            fact = f"`{path}` has the label `{label}` in row {number:,}, and no training image has it"
            raise fail("data-classes", fact, help=did_you_mean(label, names))
        files.append(str(path.parent / os.path.relpath(whole, root)))
        labels.append(numbers[label])
    return Images(tuple(names), np.array(labels, np.int32), files=tuple(files))


def _classes(labels: Iterable[str]) -> list[str]:
    names = set(labels)
    if all(name.isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _split(path: Path, row: Row) -> str:
    number, _, _, split = row
    if split not in ("", *SPLITS):
        help = did_you_mean(split, SPLITS) or f"splits are {listed(f'`{name}`' for name in SPLITS)}"
        raise _wrong(path, number, f"has the split `{split}`", help)
    return split


def _csv(path: Path) -> Iterable[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = [name.strip() for name in next(lines, [])]
            places = _places(path, header)
            for number, cells in enumerate(lines, 1):
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise _wrong(path, number, f"has {counted(len(cells), 'cell')}, and the header {len(header)}")
                yield _row(path, number, [cells[place].strip() for place in places])
    except UnicodeDecodeError as error:
        raise fail("data-format", f"`{path}` is not UTF-8 text", help="save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise fail("data-format", f"cannot read `{path}` as CSV: {error}") from error


def _parquet(path: Path) -> Iterable[Row]:
    try:
        from pyarrow import ArrowException, parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        help = "`pip install 'archspec-keras[parquet]'`, or save the table as CSV"
        raise fail("missing-package", f"`{path}` is a Parquet file, and pyarrow is not installed", help=help) from error
    try:
        table: Any = parquet.ParquetFile(path)
        header = list(table.schema_arrow.names)
        places = _places(path, header)
        number = 0
        for batch in table.iter_batches(columns=[header[place] for place in places]):
            columns = [batch.column(header[place]).to_pylist() for place in places]
            for cells in zip(*columns, strict=True):
                number += 1
                yield _row(path, number, ["" if cell is None else str(cell) for cell in cells])
    except ArrowException as error:
        notes = [f"pyarrow says: {str(error).splitlines()[0]}"]
        raise fail("data-format", f"cannot read `{path}` as Parquet", notes=notes) from error


def _places(path: Path, header: Sequence[str]) -> list[int]:
    """Where the columns are: path, label and, if it is there, split."""
    for name in COLUMNS:
        if name not in header:
            notes = [f"it has {listed(f'`{each}`' for each in header) or 'no columns'}"]
            help = "the first line names the columns: `path,label` or `path,label,split`"
            if len(header) == 1 and re.search(r"[;\t|]", header[0]):
                help = "save it with commas between the columns"
            raise fail("data-format", f"`{path}` has no column `{name}`", notes=notes, help=help)
    return [header.index(name) for name in (*COLUMNS, "split") if name in header]


def _row(path: Path, number: int, cells: Sequence[str]) -> Row:
    file, label, *split = cells
    if not file or not label:
        raise _wrong(path, number, f"has no {'label' if file else 'path'}")
    if "\0" in file:
        raise _wrong(path, number, f"has a zero byte in its path: `{file}`")
    return number, file, label, split[0] if split else ""


def _wrong(path: Path, number: int, fact: str, help: str | None = None) -> ArchspecError:
    return fail("data-format", f"row {number:,} of `{path}` {fact}", help=help)
