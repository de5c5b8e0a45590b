"""Folders of images: their parts, classes and order."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.images import class_counts
from archspec.runtime.data.sources.dataset import open_data, open_parts
from tests.refusal import refused
from tests.runtime.data.image_files import folder, two_classes


def test_a_folder_with_train_and_val_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    sizes = {"b/2": (9, 7, 3), "b/10": (8, 7, 3), "a/z": (7, 7, 3), "a/.hidden": (3, 3, 3), ".git/x": (2, 2, 3)}
    folder(tmp_path / "train", sizes)
    folder(tmp_path / "val", {"a/1": (5, 7, 3), "b/1": (4, 7, 3)})
    train = open_data(str(tmp_path), "train")
    assert train.class_names == ("a", "b")
    assert train.pixels is None
    assert train.files == tuple(str(tmp_path / "train" / name) for name in ("a/z.png", "b/10.png", "b/2.png"))
    assert (train.labels.tolist(), train.labels.dtype) == ([0, 1, 1], np.int32)
    assert len(open_data(str(tmp_path), "validation")) == 2


@pytest.mark.parametrize("name", ["val", "validation", "test"])
def test_validation_folders_go_by_three_names(tmp_path: Path, name: str) -> None:
    two_classes(tmp_path / "train")
    two_classes(tmp_path / name, 2)
    assert class_counts(open_data(str(tmp_path), "validation")) == (2, 2)
    wrong = refused(lambda: open_data(str(tmp_path), "train", validation_split=0.5))
    assert wrong.code == "validation-split"
    assert f"`{name}`" in wrong.message


def test_images_of_one_size_are_kept_decoded(tmp_path: Path) -> None:
    two_classes(tmp_path)
    opened = open_data(str(tmp_path), "validation")
    assert opened.files is None
    assert opened.pixels is not None
    names = [tmp_path / name / f"{i}.png" for name in ("cat", "dog") for i in range(3)]
    np.testing.assert_array_equal(opened.pixels, [np.asarray(Image.open(name)) for name in names])


def test_images_that_exceed_the_cache_stay_in_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_classes(tmp_path)
    size = 6 * 11 * 7 * 3
    for most, kept in ((size, True), (size - 1, False)):
        monkeypatch.setattr("archspec.runtime.data.files.file_checks.PIXELS_IN_MEMORY", most)
        assert (open_data(str(tmp_path), "validation").pixels is not None) == kept


@pytest.mark.parametrize("below", ["", "train"])
def test_classes_in_one_piece_are_split_by_share(tmp_path: Path, below: str) -> None:
    two_classes(tmp_path / below, 10)
    sides = [open_data(str(tmp_path), side, validation_split=0.2, seed=7) for side in ("train", "validation")]
    assert [class_counts(side) for side in sides] == [(8, 8), (2, 2)]
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert (wrong.code, wrong.help) == (
        "validation-split",
        "`validation_split=0.1` holds out 10% of the images of every class",
    )
    assert len(open_data(str(tmp_path), "validation")) == 20


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder(tmp_path, {f"{name}/{i}": (5, 7, 3) for name in ("boat", "train") for i in range(2)})
    assert open_data(str(tmp_path), "validation").class_names == ("boat", "train")


def test_another_number_of_classes_is_refused_before_any_file_is_opened(tmp_path: Path) -> None:
    """The files are no images, which would be said too if they were opened."""
    for part in ("train/a", "train/b", "val/a", "val/b"):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "image.jpg").write_text("no image")
    (tmp_path / "images.csv").write_text("path,label\ntrain/a/image.jpg,a\nval/b/image.jpg,b\n")
    for source in (tmp_path, tmp_path / "images.csv"):
        for classes, code in ((3, "classes-mismatch"), (2, "bad-images")):
            with pytest.raises(ArchspecError, match=code):
                open_data(str(source), "validation", classes=classes)


def test_different_classes_are_named(tmp_path: Path) -> None:
    folder(tmp_path / "train", {f"{name}/0": (5, 7, 3) for name in "abc"})
    folder(tmp_path / "val", {f"{name}/0": (5, 7, 3) for name in "bcde"})
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert (wrong.code, wrong.notes) == ("data-classes", ("only in `train`: `a`", "only in `val`: `d`, `e`"))


def test_empty_folders_are_refused(tmp_path: Path) -> None:
    assert refused(lambda: open_data(str(tmp_path), "train")).code == "data-empty"
    (tmp_path / "only").mkdir()
    assert refused(lambda: open_data(str(tmp_path), "train")).code == "data-one-class"
    two_classes(tmp_path)
    wrong = refused(lambda: open_data(str(tmp_path), "train", validation_split=0.5))
    assert wrong.code == "data-empty"
    assert "class `only`" in wrong.message
    folder(tmp_path / "loose", {"picture": (5, 7, 3)})
    wrong = refused(lambda: open_data(str(tmp_path / "loose"), "train"))
    assert (wrong.code, "their own folder" in (wrong.help or "")) == ("data-empty", True)


def test_an_empty_class_of_validation_is_reported(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    folder(tmp_path / "val", {"cat/0": (5, 7, 3)})
    (tmp_path / "val/dog").mkdir()
    lines: list[str] = []
    assert class_counts(open_data(str(tmp_path), "validation", report=lines.append)) == (1, 0)
    assert lines == [
        f"`{tmp_path}` has no validation images of class `dog`",
    ]


def test_an_unused_folder_of_classes_can_be_renamed(tmp_path: Path) -> None:
    for part in ("train", "hold-out"):
        two_classes(tmp_path / part)
    folder(tmp_path / "notes", {"drafts/0": (5, 7, 3)})
    beside = open_parts(str(tmp_path), print).not_used()
    assert beside == ["hold-out/ (has class folders: rename it to val/ or test/ to use it)", "notes/"]
    two_classes(tmp_path / "valid")  # which val/ would replace
    beside = open_parts(str(tmp_path), print).not_used()
    assert beside == ["hold-out/ (has class folders: rename it to test/ to use it)", "notes/"]


def test_a_folder_with_val_alone_can_be_evaluated_and_not_trained_on(tmp_path: Path) -> None:
    two_classes(tmp_path / "val")
    assert len(open_data(str(tmp_path), "validation")) == 6
    assert refused(lambda: open_data(str(tmp_path), "train")).code == "data-not-found"


def test_images_at_any_depth_belong_to_their_class(tmp_path: Path) -> None:
    folder(tmp_path, dict.fromkeys(("cat/siamese/0", "cat/persian/old/0", "cat/1", "dog/0"), (5, 7, 3)))
    (tmp_path / "cat/siamese/loop").symlink_to(tmp_path / "cat")
    (tmp_path / "cat/__MACOSX").mkdir()
    images = open_parts(str(tmp_path), print)[""]
    assert class_counts(images) == (3, 1)
    names = ("cat/1", "cat/persian/old/0", "cat/siamese/0", "dog/0")
    assert images.files == tuple(str(tmp_path / f"{name}.png") for name in names)


@pytest.mark.parametrize(
    ("folders", "given", "meant"),
    [
        (["dataset/train/a", "dataset/train/b", "dataset/val/a", "dataset/val/b"], "", "dataset"),
        (["dataset/train/a", "dataset/train/b", "dataset/test/a", "docs"], "", "dataset"),
        (["archive/images/a", "archive/images/b"], "", "archive/images"),
        (["a", "b"], "a", ""),
        (["train/a", "train/b", "val/a"], "train/a", ""),
    ],
)
def test_a_folder_too_high_or_too_low_is_refused_with_the_right_one(
    tmp_path: Path, folders: list[str], given: str, meant: str
) -> None:
    folder(tmp_path, {f"{name}/0": (5, 7, 3) for name in folders})
    wrong = refused(lambda: open_data(str(tmp_path / given), "train"))
    assert wrong.help == f"did you mean `{tmp_path / meant}`?"


def test_parts_inside_class_folders_are_not_mixed(tmp_path: Path) -> None:
    folder(tmp_path, {f"{name}/{part}/0": (5, 7, 3) for name in ("cat", "dog") for part in ("train", "test")})
    wrong = refused(lambda: open_data(str(tmp_path), "train", validation_split=0.5))
    assert wrong.code == "data-format"
    assert wrong.help == "move each folder of a class into the folder of its part: cat/train to train/cat"


def test_what_training_leaves_out_is_named(tmp_path: Path) -> None:
    for part in ("seg_train/seg_train", "seg_test/seg_test"):
        two_classes(tmp_path / part)
    folder(tmp_path, {"notes/0": (5, 7, 3), "seg_pred/0": (5, 7, 3), "loose": (5, 7, 3)})
    lines: list[str] = []
    assert len(open_data(str(tmp_path), "train", report=lines.append)) == 6
    left_out = "notes/, seg_pred/, 1 file outside of the class folders"
    assert lines[0].endswith(f"training images: seg_train/; validation images: seg_test/; not used: {left_out}")


def test_a_part_may_lack_classes(tmp_path: Path) -> None:
    folder(tmp_path / "train", {f"{name}/0": (5, 7, 3) for name in "abc"})
    folder(tmp_path / "valid", {f"{name}/0": (5, 7, 3) for name in "ca"})
    lines: list[str] = []
    images = open_data(str(tmp_path), "validation", report=lines.append)
    assert (images.class_names, images.labels.tolist()) == (("a", "b", "c"), [0, 2])
    assert lines == [f"`{tmp_path}` has no validation images of class `b`"]


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse the name")
def test_a_class_folder_whose_name_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    two_classes(tmp_path)
    os.mkdir(os.fsencode(tmp_path) + b"/\xffc")
    for split in ("train", "validation"):
        wrong = refused(lambda split=split: open_data(str(tmp_path), split, validation_split=0.5))
        assert (wrong.code, "the class `\\xffc` of" in wrong.message, wrong.help) == ("data-format", True, "rename it")
