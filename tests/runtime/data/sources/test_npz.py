"""Data of .npz files; and everything that can be wrong with them."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archspec.runtime.data.images import class_counts
from archspec.runtime.data.sources.dataset import open_data
from tests.refusal import refused
from tests.runtime.data.image_files import pixels, saved


def test_npz_as_keras_datasets_writes_it(tmp_path: Path) -> None:
    x, y = pixels(12, 7, 5, 3), np.arange(12).reshape(12, 1) % 3
    source = saved(tmp_path, x_train=x[:8], y_train=y[:8], x_test=x[8:], y_test=y[8:])
    train, test = open_data(source, "train"), open_data(source, "validation")
    np.testing.assert_array_equal(train.pixels, x[:8])
    np.testing.assert_array_equal(test.pixels, x[8:])
    assert test.labels.tolist() == [2, 0, 1, 2]
    assert train.class_names == test.class_names == ("0", "1", "2")
    assert refused(lambda: open_data(source, "train", validation_split=0.2)).code == "validation-split"


def test_npz_in_one_piece_is_split_and_names_its_classes(tmp_path: Path) -> None:
    x, y = pixels(20, 7, 5), np.repeat([0, 1], 10)
    source = saved(tmp_path, x=x, y=y, class_names=np.array(["left", "right"]))
    sides = [open_data(source, side, validation_split=0.3, seed=3, channels=1) for side in ("train", "validation")]
    assert [class_counts(side) for side in sides] == [(7, 7), (3, 3)]
    assert sides[0].class_names == ("left", "right")
    together = np.concatenate([side.pixels for side in sides if side.pixels is not None])
    assert sorted(map(bytes, together)) == sorted(map(bytes, x[..., None]))
    assert len(open_data(source, "validation", channels=1)) == 20  # evaluate takes the whole
    assert refused(lambda: open_data(source, "train")).code == "validation-split"


@pytest.mark.parametrize(("scale", "dtype"), [(1, "int64"), (1, "float64"), (1 / 255, "float32"), (1 / 255, "float16")])
def test_npz_values_come_back_as_grey_levels(tmp_path: Path, scale: float, dtype: str) -> None:
    x = pixels(6, 7, 5, 3)
    lines: list[str] = []
    source = saved(tmp_path, x=(x * scale).astype(dtype), y=[0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(open_data(source, "validation", report=lines.append).pixels, x)
    assert (len(lines) == 1) == (scale != 1)


def test_npz_series_and_volumes_keep_their_units(tmp_path: Path) -> None:
    series, volumes = (np.random.default_rng(5).normal(size=size) for size in ((6, 11, 2), (6, 3, 4, 5, 2)))
    for x in (series, volumes):
        opened = open_data(saved(tmp_path, x=x, y=[0, 1] * 3), "validation", channels=2)
        assert opened.pixels is not None
        assert opened.pixels.dtype == np.float32
        np.testing.assert_allclose(opened.pixels, x, rtol=1e-6)
    flat = open_data(saved(tmp_path, x=series[..., 0], y=[0, 1] * 3), "validation", channels=1)
    assert flat.pixels is not None
    assert flat.pixels.shape == (6, 11, 1)


GOOD = {"x": pixels(4, 7, 5, 3), "y": np.array([0, 1, 0, 1])}


@pytest.mark.parametrize(
    ("change", "code", "fact"),
    [
        ({"x": pixels(4, 7, 5, 3) * 2.0}, "data-format", "`x` is float64 with values from 0 to 510"),
        ({"x": pixels(4, 7, 5, 3).astype(int) - 300}, "data-format", "`x` is int64 with values from"),
        ({"x": np.full((4, 7, 5, 3), np.nan)}, "data-format", "`x` has NaN or infinite values"),
        ({"x": pixels(4, 7, 5, 3).astype(complex)}, "data-format", "`x` is complex128"),
        ({"x": pixels(4)}, "data-format", "`x` has shape (4,)"),
        ({"x": np.float32(1)}, "data-format", "`x` is a single value"),
        ({"x": pixels(4, 0, 5, 3)}, "data-format", "`x` has shape (4, 0, 5, 3)"),
        ({"x": pixels(4, 7, 5, 2)}, "data-shape", "have 2 channels, but the network's input has 3"),
        ({"x": np.full((4, 5, 3), np.inf)}, "data-format", "`x` has NaN or infinite values"),
        ({"x": pixels(3, 7, 5, 3)}, "data-format", "`x` has 3 samples, but `y` has 4 labels"),
        ({"x": np.array([None] * 4)}, "data-format", "contains Python objects"),
        ({"y": np.eye(4) * 2}, "data-format", "`y` is float64 of shape (4, 4)"),
        ({"y": np.array([0, 1, -1, 1])}, "data-format", "`y` has labels from -1 to 1"),
        ({"y": np.array([0, 1, 10**9, 1])}, "data-format", "`y` has labels from 0 to 1000000000"),
        ({"y": np.array(["cat", "dog"] * 2)}, "data-format", "`y` is <U3 of shape (4,)"),
        ({"y": np.zeros(0, int), "x": pixels(0, 7, 5, 3)}, "data-empty", "is empty"),
        ({"class_names": np.array(["a"])}, "data-format", "the greatest label is 1, but `class_names` has 1 name"),
        ({"class_names": np.array(["a", "a"])}, "data-format", "`class_names` has a name twice"),
        ({"class_names": np.array([1, 2])}, "data-format", "`class_names` is int64"),
    ],
)
def test_a_malformed_npz_is_refused_with_the_fact(tmp_path: Path, change: dict[str, Any], code: str, fact: str) -> None:
    source = saved(tmp_path, **{**GOOD, **change})
    wrong = refused(lambda: open_data(source, "validation"))
    assert wrong.code == code
    assert fact in wrong.message


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    """Readers differ in which of the two they take."""
    source = saved(tmp_path, **GOOD)
    with zipfile.ZipFile(source, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("y.npy", archive.read("y.npy"))
    wrong = refused(lambda: open_data(source, "validation"))
    assert wrong.message == f"cannot read `{source}`: it has two arrays `y`"


def test_an_array_greater_than_the_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip of 6 KB can hold 6 MB."""
    source = str(tmp_path / "zip.npz")
    np.savez_compressed(source, x=np.zeros((2, 1000, 1000, 3), np.uint8), y=[0, 1])
    assert (tmp_path / "zip.npz").stat().st_size < 10_000
    monkeypatch.setattr("archspec.runtime.system.npz_file.free_memory", lambda: 5_900_000)
    wrong = refused(lambda: open_data(source, "validation"))
    assert (wrong.code, "`x` needs 6.0 MB of memory, but 5.9 MB are free" in wrong.message) == ("data-format", True)
    monkeypatch.setattr("archspec.runtime.system.npz_file.free_memory", lambda: 6_100_000)
    assert len(open_data(source, "validation")) == 2


def test_integers_of_0_and_1_are_said_to_be_taken_as_grey_levels(tmp_path: Path) -> None:
    lines: list[str] = []
    opened = open_data(saved(tmp_path, x=pixels(4, 7, 5, 3) % 2, y=GOOD["y"]), "validation", report=lines.append)
    assert opened.pixels is not None
    assert opened.pixels.max() == 1
    assert lines == ["`x` is uint8 with values from 0 to 1: used as grey levels as they are, where 255 is white"]


def test_channels_that_come_first_are_known_for_what_they_are(tmp_path: Path) -> None:
    wrong = refused(lambda: open_data(saved(tmp_path, x=pixels(4, 3, 7, 5), y=GOOD["y"]), "validation"))
    assert wrong.code == "data-shape"
    assert "np.moveaxis(x, 1, -1)" in (wrong.help or "")
    assert np.moveaxis(pixels(4, 3, 7, 5), 1, -1).shape == (4, 7, 5, 3)


def test_an_npz_of_test_images_alone_can_be_evaluated_and_not_trained_on(tmp_path: Path) -> None:
    source = saved(tmp_path, x_test=GOOD["x"], y_test=GOOD["y"])
    assert len(open_data(source, "validation")) == 4
    assert refused(lambda: open_data(source, "train")).code == "data-not-found"


def test_a_single_class_can_be_evaluated_and_not_trained_on(tmp_path: Path) -> None:
    source = saved(tmp_path, x=GOOD["x"], y=np.zeros(4, int))
    assert len(open_data(source, "validation")) == 4
    wrong = refused(lambda: open_data(source, "train", validation_split=0.5))
    assert (wrong.code, "has only one class, `0`" in wrong.message) == ("data-one-class", True)


def test_an_npz_without_the_right_arrays_says_which_it_holds(tmp_path: Path) -> None:
    wrong = refused(lambda: open_data(saved(tmp_path, cats=GOOD["x"], y=GOOD["y"]), "train"))
    assert wrong.code == "data-format"
    assert wrong.notes == ("it has cats, y",)


def test_files_that_are_no_npz_are_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "unpickled"),))

    contents = {
        "text.npz": b"hello",
        "empty.npz": b"",
        "pickle.npz": pickle.dumps(Trap()),
        "truncated.npz": Path(saved(tmp_path, **GOOD)).read_bytes()[:-30],
        "data.csv": b"1,2,3",
    }
    np.save(tmp_path / "array.npy", GOOD["x"])
    contents["array.npz"] = (tmp_path / "array.npy").read_bytes()
    damaged = bytearray(Path(saved(tmp_path, **GOOD)).read_bytes())
    damaged[200:260] = bytes(60)
    contents["damaged.npz"] = bytes(damaged)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        code = "npz-damaged" if name == "damaged.npz" else "data-format"
        assert refused(lambda name=name: open_data(str(tmp_path / name), "validation")).code == code
    trap = saved(tmp_path, x=np.array([Trap(), Trap()]), y=[0, 1])
    assert refused(lambda: open_data(trap, "validation")).code == "data-format"
    assert not (tmp_path / "unpickled").exists()
