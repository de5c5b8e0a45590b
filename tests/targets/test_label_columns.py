"""Label columns of tables and arrays, read for the outputs of a network; what is ambiguous is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.runtime.data.images import Images
from archspec.runtime.data.sources.dataset import open_data
from archspec.targets import TARGETS, OutputTarget, OutputTargets
from tests.refusal import refused
from tests.runtime.data.image_files import pixels, saved


def targets(*outputs: tuple[str, int] | tuple[str, int, str]) -> OutputTargets:
    """From (kind, units), or (kind, units, name)."""
    return OutputTargets(tuple(OutputTarget(TARGETS[kind](), units, *name) for kind, units, *name in outputs))


def table(folder: Path, header: str, *rows: str) -> str:
    from PIL import Image

    for number in range(len(rows)):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / f"{number}.png")
    lines = [f"path,{header}", *(f"{number}.png,{row}" for number, row in enumerate(rows))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "t.csv")


def opened(data: str, of: OutputTargets, **options: Any) -> Images:
    return open_data(data, "validation", targets=of, **options)


@pytest.mark.parametrize(
    "cells",
    [
        ["cat;dog", "cat", "", "dog;bird"],
        ['"cat,dog"', "cat", "", '"dog, bird"'],
        ["cat|dog", "cat", "", "dog|bird"],
    ],
)
def test_several_labels_of_an_image(cells: list[str], tmp_path: Path) -> None:
    images = opened(table(tmp_path, "label", *cells), targets(("multi-label", 3)))
    assert images.class_names == ("bird", "cat", "dog")
    assert images.y is not None
    assert images.y.tolist() == [[0, 1, 1], [0, 1, 0], [0, 0, 0], [1, 0, 1]]


def test_words_that_are_labels_alone_too(tmp_path: Path) -> None:
    images = opened(table(tmp_path, "label", "cat dog", "cat", "dog", "dog bird", "bird"), targets(("multi-label", 3)))
    assert images.class_names == ("bird", "cat", "dog")
    assert images.y is not None
    assert images.y.tolist() == [[0, 1, 1], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0]]


def test_one_hot_columns(tmp_path: Path) -> None:
    data = table(tmp_path, "red,green,big", "1,0,1", "0,1,0", "1,0,0")
    images = opened(data, targets(("multi-label", 3)))
    assert images.class_names == ("red", "green", "big")
    assert images.y is not None
    assert images.y.tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0]]
    data = table(tmp_path, "red,green", "1,0", "0,1", "1,0")
    images = opened(data, targets(("classes", 2)))
    assert (images.class_names, images.labels.tolist(), images.targets) == (("red", "green"), [0, 1, 0], None)


def test_names_with_spaces_are_told_from_lists_by_the_units_of_the_output(tmp_path: Path) -> None:
    data = table(tmp_path, "label", "polar bear", "fox", "polar bear")
    assert opened(data, targets(("multi-label", 2))).class_names == ("fox", "polar bear")
    assert opened(data, targets(("multi-label", 3))).class_names == ("bear", "fox", "polar")
    wrong = refused(lambda: opened(data, targets(("multi-label", 4))))
    assert "`polar bear` may be one label or 2 labels" in wrong.message
    assert wrong.help == "separate labels by `;`, as in `polar;bear`, or join the words of one label by `_`"


def test_two_classes_of_any_source(tmp_path: Path) -> None:
    images = opened(table(tmp_path, "label", "yes", "no", "yes"), targets(("binary", 1)))
    assert images.class_names == ("no", "yes")
    assert images.y is not None
    assert images.y.tolist() == [[1], [0], [1]]
    digits = opened("digits", targets(("multi-label", 10)), channels=1)
    plain = open_data("digits", "validation", channels=1)
    assert digits.y is not None
    assert np.array_equal(digits.y, np.eye(10)[plain.labels])
    wrong = refused(lambda: opened("digits", targets(("binary", 1)), channels=1))
    assert wrong.code == "classes-mismatch"
    assert "one sigmoid unit for two classes" in wrong.message


def test_numbers_of_one_and_of_several_columns(tmp_path: Path) -> None:
    images = opened(table(tmp_path, "label", "0.5", "-2", "3e1"), targets(("numbers", 1)))
    assert images.y is not None
    assert images.y.tolist() == [[0.5], [-2], [30]]
    assert images.targets is not None
    assert images.targets[0].center == pytest.approx((9.5,))
    for header in ("x,y", "label:x,label:y"):
        images = opened(table(tmp_path, header, "1,2.5", "3,4"), targets(("numbers", 2)))
        assert images.y is not None
        assert images.y.tolist() == [[1, 2.5], [3, 4]]
    wrong = refused(lambda: opened(table(tmp_path, "label", "0.5", "big"), targets(("numbers", 1))))
    assert "the label `big` of image 2 is not a number" in wrong.message


def test_a_column_for_each_output(tmp_path: Path) -> None:
    data = table(tmp_path, "label:shape,label:color", "disk,red", "box,blue", "disk,green")
    images = opened(data, targets(("classes", 3, "color"), ("binary", 1, "shape")))
    assert images.targets is not None
    assert images.y is not None
    assert [target.class_names for target in images.targets] == [("blue", "green", "red"), ("box", "disk")]
    assert images.y.tolist() == [[2, 1], [0, 0], [1, 1]]
    only = opened(data, targets(("classes", 3, "color")))  # one output, named after one of the columns
    assert (only.class_names, only.labels.tolist()) == (("blue", "green", "red"), [2, 0, 1])


def test_what_is_not_clear_is_asked_with_the_choices(tmp_path: Path) -> None:
    data = table(tmp_path, "label:shape,label:color", "disk,red", "box,blue", "disk,green")
    wrong = refused(lambda: opened(data, targets(("classes", 3, "softmax"))))
    assert "the label columns `label:shape`, `label:color`, and the network has one output" in wrong.message
    assert wrong.help
    assert "`{name: shape, softmax: }`" in wrong.help
    wrong = refused(lambda: opened(data, targets(("classes", 3, "color"), ("classes", 2, "form"))))
    assert "the outputs `color`, `form`" in wrong.message
    assert wrong.help
    assert wrong.help.endswith("a label column for each output: `label:form`")
    one = table(tmp_path, "label", "a", "b", "c")
    wrong = refused(lambda: opened(one, targets(("classes", 3, "color"), ("classes", 2, "shape"))))
    assert "has one label for each image, in `label`" in wrong.message
    several = table(tmp_path, "label", "cat dog", "cat", "dog")
    wrong = refused(lambda: opened(several, targets(("classes", 3))))
    assert "look like several labels of one image" in wrong.message
    assert wrong.help
    assert "`sigmoid`" in wrong.help
    assert "`_`" in wrong.help
    decimals = table(tmp_path, "label", "0.13", "2.7", "5.9")
    wrong = refused(lambda: opened(decimals, targets(("classes", 3))))
    assert wrong.help
    assert "`mean_squared_error`" in wrong.help
    assert "`low`" in wrong.help
    both = table(tmp_path, "label,label:color", "a,b", "c,d", "e,f")
    assert "the columns `label`, `label:color`" in refused(lambda: opened(both, targets(("classes", 3)))).message
    two = table(tmp_path, "label", "cat;dog", "a|b", "c")
    assert "separated by `;`, `|`" in refused(lambda: opened(two, targets(("multi-label", 5)))).message


def test_parts_have_the_labels_of_training(tmp_path: Path) -> None:
    data = table(tmp_path, "label,split", "cat;dog,train", "cat,train", "dog,val", "fox,val")
    wrong = refused(lambda: opened(data, targets(("multi-label", 2))))
    assert wrong.code == "data-classes"
    assert "the label `fox`, which no training image has" in wrong.message
    data = table(tmp_path, "label,split", "cat;dog,train", "fox,train", "dog,val", "fox,val")
    images = opened(data, targets(("multi-label", 3)))
    assert images.y is not None
    assert images.y.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_labels_of_arrays(tmp_path: Path) -> None:
    x = pixels(4, 5, 7, 3)
    several = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
    images = opened(saved(tmp_path, x=x, y=several, class_names=np.array(["a", "b", "c"])), targets(("multi-label", 3)))
    assert images.class_names == ("a", "b", "c")
    assert images.y is not None
    assert images.y.tolist() == several.tolist()
    images = opened(saved(tmp_path, x=x, y=np.eye(4)), targets(("classes", 4)))
    assert images.labels.tolist() == [0, 1, 2, 3]
    images = opened(saved(tmp_path, x=x, y=np.array([0.5, 2, 3, 4])), targets(("numbers", 1)))
    assert images.y is not None
    assert images.y.tolist() == [[0.5], [2], [3], [4]]


def test_labels_in_words() -> None:
    names = OutputTargets(
        (
            OutputTarget(TARGETS["classes"](), 3, "color", ("red", "green", "blue")),
            OutputTarget(TARGETS["binary"](), 1, "big", ("no", "yes")),
            OutputTarget(TARGETS["multi-label"](), 2, "tags", ("cat", "dog")),
            OutputTarget(TARGETS["numbers"](), 2, "size"),
        )
    )
    y = np.array([[2, 1, 1, 1, 2.5, -1], [0, 0, 0, 0, 3, 0]], np.float32)
    assert names.texts(y) == ["blue, yes, cat dog, 2.5 -1", "red, no, no label, 3 0"]
