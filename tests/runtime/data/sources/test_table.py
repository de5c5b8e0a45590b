"""Tables of images: which are refused, and with which fact, and how they are split."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.runtime.data.images import class_counts
from archspec.runtime.data.sources.dataset import open_data, open_parts
from tests.refusal import refused


def table(root: Path, text: str) -> str:
    (root / "t.csv").write_text(text, encoding="utf-8")
    return str(root / "t.csv")


@pytest.mark.parametrize(
    ("text", "code", "fact"),
    [
        ("", "data-format", "has no column `path`"),
        ("path,klass\na.png,x\n", "data-format", "has no column `label`"),
        ("path,label\n", "data-empty", "has no rows"),
        ("path,label\na.png,x,y\n", "data-format", "has 3 cells, but the header has 2"),
        ("path,label\na.png,\n", "data-format", "row 1 of"),
        ("path,label\n,x\n", "data-format", "has no path"),
        ("path,label\na.png,x\nb.png,x\n", "data-one-class", "has only one class, `x`"),
        (
            "path,label,split\na.png,x,train\nb.png,y,train\nc.png,z,val\n",
            "data-classes",
            "has the label `z`, which no training image has",
        ),
        ("path,label,split\na.png,x,train\nb.png,y,vall\n", "data-format", "row 2 of"),
        ("path,label,split\na.png,x,train\nb.png,y,\n", "data-format", "has no split, but other rows have one"),
        ("path,label\n../a.png,x\nb.png,y\n", "data-format", "has a path outside"),
        ("path,label\n/etc/passwd,x\nb.png,y\n", "data-format", "has a path outside"),
        ('path,label\n"a.png,x\n', "data-format", "as CSV"),
        ("path,label\na.png\nb.png,y\n", "data-format", "has 1 cell, but the header has 2"),
        ("path,label\na\0.png,x\nb.png,y\n", "data-format", "row 1 of"),
        (
            "path,label\na.png,x\nb.png,y\n./a.png,y\n",
            "data-format",
            "labels `./a.png` as `y`, but row 1 labels it as `x`",
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_the_fact(tmp_path: Path, text: str, code: str, fact: str) -> None:
    source = table(tmp_path, text)
    wrong = refused(lambda: open_data(source, "train", validation_split=None))
    assert (wrong.code, fact in wrong.message) == (code, True), wrong.message


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_than_the_comma_is_named_as_the_mistake(tmp_path: Path, separator: str) -> None:
    wrong = refused(lambda: open_data(table(tmp_path, f"path{separator}label\na.png{separator}x\n"), "validation"))
    assert (wrong.code, wrong.help) == ("data-format", "separate the columns by commas")


def test_a_table_in_one_piece_is_split_by_share_and_its_numbers_sort_as_numbers(tmp_path: Path) -> None:
    rows = []
    rng = np.random.default_rng(31)
    for label in ("10", "9"):
        for i in range(5):
            Image.fromarray(rng.integers(0, 256, (5 + i, 7, 3), np.uint8)).save(tmp_path / f"{label}-{i}.png")
            rows.append(f"{label}-{i}.png, {label}\n")
    source = table(tmp_path, "\ufeffpath,label\n" + "".join(rows))
    assert open_data(source, "validation").class_names == ("9", "10")
    sides = [open_data(source, side, validation_split=0.4, seed=3) for side in ("train", "validation")]  # type: ignore[arg-type]
    assert [class_counts(side) for side in sides] == [(3, 3), (2, 2)]
    assert not set(sides[0].files or ()) & set(sides[1].files or ())
    (tmp_path / "9-0.png").unlink()
    wrong = refused(lambda: open_data(source, "validation"))
    assert wrong.notes == (f"{tmp_path / '9-0.png'}: no such file",)


def test_bytes_that_are_no_text_and_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_bytes(b"path,label\n\xff,x\n")
    assert "not UTF-8" in refused(lambda: open_parts(str(tmp_path / "t.csv"), print)).message
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        wrong = refused(lambda: open_parts(str(tmp_path / "t.parquet"), print))
        assert (wrong.code, "archspec-keras[parquet]" in (wrong.help or "")) == ("missing-package", True)
    pytest.importorskip("pyarrow")
    assert refused(lambda: open_parts(str(tmp_path / "t.parquet"), print)).code == "data-format"
