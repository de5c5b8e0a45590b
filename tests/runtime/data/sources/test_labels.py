"""Several labels of an image, and numbers to predict, are refused with what is meant, by every source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.runtime.data.sources.dataset import open_data, open_parts
from tests.refusal import refused
from tests.runtime.data.image_files import pixels, saved

SEVERAL = "look like several labels of one image"
NUMBERS = "the labels are numbers with decimals"


@pytest.mark.parametrize(
    ("labels", "fact"),
    [
        (["cat dog", "cat", "dog"], SEVERAL),
        (["cat dog", "dog bird", "bird cat"], SEVERAL),
        (['"cat,dog"', "cat"], SEVERAL),
        (["cat|dog", "bird"], SEVERAL),
        (["cat;dog", "bird"], SEVERAL),
        (["0.13", "2.7", "5.9"], NUMBERS),
        (["1", "2.5", "-3e-2"], NUMBERS),
        (["polar bear", "brown bear", "bear"], None),
        (["red car", "blue car", "red bus"], None),
        (['"tench, Tinca tinca"', '"goldfish, Carassius auratus"'], None),
        (["1.0", "2.0"], None),
        (["hot dog", "dog"], None),
        (["v1.5", "v2.5"], None),
    ],
)
def test_labels_of_tables(labels: list[str], fact: str | None, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("path,label\n" + "".join(f"{i}.png,{label}\n" for i, label in enumerate(labels)))
    if fact is None:
        assert len(open_parts(str(path), print)[""]) == len(labels)
        return
    wrong = refused(lambda: open_data(str(path), "train"))
    assert (wrong.code, fact in wrong.message, bool(wrong.help)) == ("data-format", True, True), wrong.message


@pytest.mark.parametrize(
    ("label", "fact"), [("NaN", "stands for a missing value"), ("", "has no label"), ("None", None)]
)
def test_a_missing_label_is_no_class(label: str, fact: str | None, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"path,label\n0.png,a\n1.png,{label}\n")
    if fact is None:
        assert len(open_parts(str(path), print)[""].class_names) == 2
        return
    wrong = refused(lambda: open_data(str(path), "train"))
    assert (wrong.code, "row 2" in wrong.message, fact in wrong.message) == ("data-format", True, True), wrong.message


@pytest.mark.parametrize(
    ("y", "fact"),
    [
        (np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]]), "2 images have several labels"),
        (np.eye(4), "the labels are one-hot rows"),
        (np.array([0.13, 2.7, 5.9, 1]), NUMBERS),
    ],
)
def test_labels_of_arrays(y: np.ndarray, fact: str, tmp_path: Path) -> None:
    wrong = refused(lambda: open_data(saved(tmp_path, x=pixels(4, 5, 7, 3), y=y), "train"))
    assert (wrong.code, fact in wrong.message) == ("data-format", True), wrong.message
