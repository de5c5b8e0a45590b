"""The parts of a data set: their names in all spellings, which of them training uses, and `split=` for any of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from archspec.runtime.data.files.conversions import Conversions
from archspec.runtime.data.sources.dataset import look_alikes, open_data, open_parts
from archspec.runtime.data.sources.parts import part_kind, part_kinds
from archspec.runtime.image_inputs import images_of_data
from tests.refusal import refused
from tests.runtime.data.image_files import pixels, saved, two_classes


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Train", "train"),
        ("TRAINING", "train"),
        ("training_set", "train"),
        ("TrainImages", "train"),
        ("train2017", "train"),
        ("valid", "validation"),
        ("Validation Data", "validation"),
        ("dev", "validation"),
        ("eval", "validation"),
        ("testset", "test"),
        ("test-images", "test"),
        ("invalid", None),
        ("contest", None),
        ("train_station", None),
        ("data", None),
    ],
)
def test_names_of_parts_are_known_in_all_spellings(name: str, kind: str | None) -> None:
    assert part_kind(name) == kind


def test_names_with_other_words_are_parts_if_they_differ_in_the_kind_only() -> None:
    assert part_kinds(["seg_test", "seg_train", "seg_pred"]) == {"seg_train": "train", "seg_test": "test"}
    assert part_kinds(["train_station", "bus_station"]) == {}


def as_folder(root: Path, parts: list[str]) -> str:
    for i, part in enumerate(parts):
        two_classes(root / part, i + 1)
    return str(root)


def as_csv(root: Path, parts: list[str]) -> str:
    as_folder(root, parts)
    with (root / "t.csv").open("w", newline="") as file:
        rows = [
            (f"{part}/{name}/{n}.png", name, part)
            for i, part in enumerate(parts)
            for name in ("cat", "dog")
            for n in range(i + 1)
        ]
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return str(root / "t.csv")


def as_npz(root: Path, parts: list[str]) -> str:
    counts = {part: 2 * i + 2 for i, part in enumerate(parts)}
    images = {f"{part}_images": pixels(count, 11, 7, 3) for part, count in counts.items()}
    labels = {f"{part}_labels": np.arange(count)[:, None] % 2 for part, count in counts.items()}
    return saved(root, **images, **labels)  # as MedMNIST


SOURCES = [as_folder, as_csv, as_npz]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("parts", "train", "validation", "others"),
    [
        (["Train", "valid", "test"], 2, 4, {"test": 6, "VALID": 4, "val": 4}),
        (["training", "testing"], 2, 4, {"test": 4, "testing": 4}),
        (["test", "dev", "train"], 6, 4, {"test": 2, "train": 6}),
    ],
)
def test_validation_is_preferred_to_test_and_every_part_can_be_opened(
    source: object, parts: list[str], train: int, validation: int, others: dict[str, int], tmp_path: Path
) -> None:
    data = source(tmp_path, parts)  # type: ignore[operator]
    assert len(open_data(data, "train")) == train
    assert len(open_data(data, "validation")) == validation
    assert {name: len(open_data(data, name)) for name in others} == others
    used = {"train": train, "validation": validation}
    expected = [] if len(parts) == 2 else ["test"]
    assert [name.rstrip("/") for name in open_parts(data, print).not_used()] == expected, used


def test_columns_are_known_by_other_names_and_those_not_used_are_named(tmp_path: Path) -> None:
    as_folder(tmp_path, ["train", "val"])
    rows = ["Filename,Class,Subset,width", "train/cat/0.png,cat,TRAIN,7", "train/dog/0.png,dog,TRAIN,7"]
    (tmp_path / "t.csv").write_text("\n".join([*rows, "val/dog/0.png,dog,Val,7"]))
    parts = open_parts(str(tmp_path / "t.csv"), print)
    assert {part: len(images) for part, images in parts.items()} == {"train": 2, "val": 1}
    assert parts.described() == "training images: train; validation images: val; not used: column `width`"


def test_a_part_without_class_folders_is_named(tmp_path: Path) -> None:
    as_folder(tmp_path, ["train"])
    (tmp_path / "test").mkdir()
    (tmp_path / "test/0.png").write_bytes(b"")
    assert open_parts(str(tmp_path), print).not_used() == ["test/ (no class folders)"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_part_that_is_not_there_is_refused_with_those_that_are(source: object, tmp_path: Path) -> None:
    data = source(tmp_path, ["train", "valid"])  # type: ignore[operator]
    wrong = refused(lambda: open_data(data, "test"))
    assert wrong.code == "data-not-found"
    assert wrong.message == f"`{data}` has no part `test`: its parts are `train`, `valid`"


def test_data_without_parts_says_so() -> None:
    wrong = refused(lambda: open_data("digits", "test", channels=1))
    assert wrong.message == "`digits` has no part `test`: its parts are `train`, `validation`"


def test_evaluate_may_use_all_training_images_of_data_without_a_validation_part(tmp_path: Path) -> None:
    data = saved(tmp_path, x_train=pixels(4, 7, 5, 3), y_train=[0, 1, 0, 1])
    assert len(open_data(data, "train", whole=True)) == 4
    assert refused(lambda: open_data(data, "train")).code == "validation-split"  # training needs a share to hold out


def test_predict_may_use_one_part(tmp_path: Path) -> None:
    import tensorflow as tf

    data = saved(
        tmp_path, x_train=pixels(4, 7, 5, 3), y_train=[0, 1, 0, 1], x_test=pixels(3, 7, 5, 3), y_test=[0, 1, 0]
    )

    def count(split: str | None) -> int:
        return len(list(images_of_data(tf, data, Conversions(3), lambda line: None, split)))

    assert [count(split) for split in (None, "train", "Test", "validation")] == [7, 4, 3, 3]
    assert "has no part `dev-2`" in refused(lambda: count("dev-2")).message


def test_classes_whose_names_look_alike_are_named(tmp_path: Path) -> None:
    for name in ("train/Cat", "train/cat", "train/caf\u00e9", "train/cafe\u0301", "train/dog", "val/dog", "val/Dog "):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").write_bytes(b"")
    (line,) = look_alikes(open_parts(str(tmp_path), lambda line: None))
    assert line == "classes that may be the same: `Cat`, `cat`, `cafe\u0301`, `caf\u00e9`, `dog`, `Dog `"
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert (wrong.code, wrong.notes[-1]) == ("data-classes", line)
