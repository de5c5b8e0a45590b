"""Opening data: the embedded digits, what is not there, and how a part is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.runtime.data.images import Images, class_counts
from archspec.runtime.data.sources.dataset import open_data, split_rows
from tests.refusal import refused
from tests.runtime.data.image_files import folder, pixels, saved, two_classes


def test_digits_are_the_published_ones_with_the_last_450_held_out() -> None:
    train, validation = (open_data("digits", split, channels=1) for split in ("train", "validation"))
    assert (len(train), len(validation)) == (1347, 450)
    assert train.class_names == tuple("0123456789")
    # the UCI spec: 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 images in the test set
    counts = np.add(class_counts(train), class_counts(validation))
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert train.pixels is not None
    assert (train.pixels.dtype, train.pixels.shape) == (np.uint8, (1347, 8, 8, 1))
    assert (train.labels.dtype, train.labels[:10].tolist()) == (np.int32, list(range(10)))
    # the first image of optdigits.tes begins 0,0,5,13,9,1,0,0
    assert train.pixels[0, 0, :, 0].tolist() == [round(v * 255 / 16) for v in (0, 0, 5, 13, 9, 1, 0, 0)]
    assert train.pixels.max() == 255


def test_digits_become_rgb_where_the_network_takes_it() -> None:
    grey, rgb = (open_data("digits", "validation", channels=channels).pixels for channels in (1, 3))
    assert grey is not None
    np.testing.assert_array_equal(rgb, np.repeat(grey, 3, axis=-1))
    assert refused(lambda: open_data("digits", "train", channels=4)).code == "data-shape"


def test_digits_know_their_own_split() -> None:
    wrong = refused(lambda: open_data("digits", "train", validation_split=0.1))
    assert (wrong.code, wrong.help) == ("validation-split", "omit `validation_split`")


def test_a_folder_that_is_not_there_is_known_by_the_one_beside_it(tmp_path: Path) -> None:
    for name in ("flowers", ".flower"):
        (tmp_path / name).mkdir()
    wrong = refused(lambda: open_data(str(tmp_path / "flower"), "train"))
    assert wrong.help == f"did you mean `{tmp_path / 'flowers'}`?"


@pytest.mark.parametrize(
    ("source", "help"), [("digit", "did you mean `digits`?"), ("nowhere/at-all", "DATA is one of")]
)
def test_what_is_not_there_is_said(source: str, help: str) -> None:
    wrong = refused(lambda: open_data(source, "train"))
    assert wrong.code == "data-not-found"
    assert wrong.help
    assert wrong.help.startswith(help)


@given(st.lists(st.integers(0, 4), max_size=60), st.floats(0.01, 0.99), st.integers(0, 2**40))
def test_a_split_is_stratified_disjoint_whole_and_seeded(labels: list[int], share: float, seed: int) -> None:
    y = np.array(labels, np.int32)
    train, validation = (split_rows(y, side, share, seed, "here") for side in ("train", "validation"))
    assert sorted([*train, *validation]) == list(range(len(y)))
    np.testing.assert_array_equal(validation, split_rows(y, "validation", share, seed, "here"))
    for label in set(labels):
        total, held_out = labels.count(label), int((y[validation] == label).sum())
        assert held_out == (0 if total == 1 else min(max(round(total * share), 1), total - 1))


def test_another_seed_holds_out_other_images() -> None:
    y = np.zeros(100, np.int32)
    first, second = (split_rows(y, "validation", 0.2, seed, "here") for seed in (0, 1))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 20, float("nan")])
def test_a_share_outside_0_to_1_is_refused(tmp_path: Path, share: float) -> None:
    source = saved(tmp_path, x=pixels(4, 7, 5, 3), y=np.array([0, 1, 0, 1]))
    assert refused(lambda: open_data(source, "train", validation_split=share)).code == "validation-split"


def test_a_class_of_one_image_cannot_be_divided(tmp_path: Path) -> None:
    folder(tmp_path, {"a/0": (5, 7, 3), "b/0": (5, 7, 3)})
    wrong = refused(lambda: open_data(str(tmp_path), "validation", validation_split=0.5))
    assert wrong.code == "validation-split"
    assert wrong.message.startswith("`validation_split=0.5` leaves no validation images of classes `a`, `b`")
    folder(tmp_path, {"b/1": (5, 7, 3)})
    lines: list[str] = []
    assert len(open_data(str(tmp_path), "train", validation_split=0.5)) == 2
    assert len(open_data(str(tmp_path), "validation", validation_split=0.5, report=lines.append)) == 1
    fact = "`--validation-split 0.5` leaves no validation images of class `a`: one image cannot be divided"
    assert lines == [fact]


def test_files_cannot_serve_a_network_of_five_channels(tmp_path: Path) -> None:
    assert refused(lambda: open_data(str(two_classes(tmp_path)), "validation", channels=5)).code == "data-shape"


def test_images_have_pixels_or_files() -> None:
    with pytest.raises(ValueError, match="either"):
        Images(("a", "b"), np.zeros(2, np.int32))
