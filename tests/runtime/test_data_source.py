"""Opening data: the embedded digits, .npz files, folders; and everything that can be wrong with them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archspec.diagnostics import ArchspecError, Diagnostic
from archspec.runtime.data.decode import BadImageError, decode_bytes
from archspec.runtime.data.source import Images, class_counts, open_data
from archspec.runtime.data.split import split_rows

RNG = np.random.default_rng(5)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def folder(root: Path, files: dict[str, tuple[int, ...]], format: str = "png") -> Path:
    """Images of the given shapes at root/NAME.FORMAT."""
    for name, shape in files.items():
        path = root / f"{name}.{format}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(*shape)).save(path)
    return root


def two_classes(root: Path, count: int = 3, shape: tuple[int, ...] = (11, 7, 3)) -> Path:
    return folder(root, {f"{name}/{i}": shape for name in ("cat", "dog") for i in range(count)})


def refused(act: Callable[[], object]) -> Diagnostic:
    with pytest.raises(ArchspecError) as caught:
        act()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message[0].islower() or diagnostic.message[0] in "`0123456789"
    assert not diagnostic.message.endswith(".")
    return diagnostic


# ------------------------------------------------------------------------------------------------- digits


def test_digits_are_the_published_ones_with_the_last_450_held_out() -> None:
    train, validation = (open_data("digits", split, channels=1) for split in ("train", "validation"))
    assert (len(train), len(validation)) == (1347, 450)
    assert train.class_names == tuple("0123456789")
    # the UCI page: 178, 182, 177, 183, 181, 182, 181, 179, 174, 180 images in the test set
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
    assert (wrong.code, wrong.help) == ("validation-split", "leave --validation-split out")


@pytest.mark.parametrize(("source", "help"), [("digit", "did you mean `digits`?"), ("nowhere/at-all", "a source is")])
def test_what_is_not_there_is_said(source: str, help: str) -> None:
    wrong = refused(lambda: open_data(source, "train"))
    assert wrong.code == "data-not-found"
    assert wrong.help
    assert wrong.help.startswith(help)


# ---------------------------------------------------------------------------------------------------- npz


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path / "data.npz", **arrays)
    return str(path / "data.npz")


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
    series, volumes = RNG.normal(size=(6, 11, 2)), RNG.normal(size=(6, 3, 4, 5, 2))
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
        ({"x": pixels(4, 7, 5, 3) * 2.0}, "data-format", "`x` is float64 between"),
        ({"x": pixels(4, 7, 5, 3).astype(int) - 300}, "data-format", "`x` is int64 between"),
        ({"x": np.full((4, 7, 5, 3), np.nan)}, "data-format", "`x` is float64 between nan"),
        ({"x": pixels(4, 7, 5, 3).astype(complex)}, "data-format", "`x` is complex128"),
        ({"x": pixels(4)}, "data-format", "`x` has shape (4,)"),
        ({"x": pixels(4, 0, 5, 3)}, "data-format", "`x` has shape (4, 0, 5, 3)"),
        ({"x": pixels(4, 7, 5, 2)}, "data-shape", "have 2 channels, and the network takes 3"),
        ({"x": np.full((4, 5, 3), np.inf)}, "data-format", "`x` has values that are not finite"),
        ({"x": pixels(3, 7, 5, 3)}, "data-format", "`x` has 3 samples and `y` has 4 labels"),
        ({"x": np.array([None] * 4)}, "data-format", "holds Python objects"),
        ({"y": np.eye(4)}, "data-format", "`y` is float64 of shape (4, 4)"),
        ({"y": np.array([0, 1, -1, 1])}, "data-format", "`y` has labels from -1 to 1"),
        ({"y": np.array([0, 1, 10**9, 1])}, "data-format", "`y` has labels from 0 to 1000000000"),
        ({"y": np.array(["cat", "dog"] * 2)}, "data-format", "`y` is <U3 of shape (4,)"),
        ({"y": np.zeros(4, int)}, "data-one-class", "has one class, `0`"),
        ({"y": np.zeros(0, int), "x": pixels(0, 7, 5, 3)}, "data-empty", "is empty"),
        ({"class_names": np.array(["a"])}, "data-format", "a label is 1, and `class_names` names 1 classes"),
        ({"class_names": np.array(["a", "a"])}, "data-format", "`class_names` names a class twice"),
        ({"class_names": np.array([1, 2])}, "data-format", "`class_names` is int64"),
    ],
)
def test_a_malformed_npz_is_refused_with_the_fact(tmp_path: Path, change: dict[str, Any], code: str, fact: str) -> None:
    source = saved(tmp_path, **{**GOOD, **change})
    wrong = refused(lambda: open_data(source, "validation"))
    assert wrong.code == code
    assert fact in wrong.message


def test_an_npz_of_test_images_alone_can_be_evaluated_and_not_trained_on(tmp_path: Path) -> None:
    source = saved(tmp_path, x_test=GOOD["x"], y_test=GOOD["y"])
    assert len(open_data(source, "validation")) == 4
    assert refused(lambda: open_data(source, "train")).code == "data-format"


def test_an_npz_without_the_right_arrays_says_which_it_holds(tmp_path: Path) -> None:
    wrong = refused(lambda: open_data(saved(tmp_path, images=GOOD["x"], y=GOOD["y"]), "train"))
    assert wrong.code == "data-format"
    assert wrong.notes == ("it holds images, y",)


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
        assert refused(lambda name=name: open_data(str(tmp_path / name), "validation")).code == "data-format"
    trap = saved(tmp_path, x=np.array([Trap(), Trap()]), y=[0, 1])
    assert refused(lambda: open_data(trap, "validation")).code == "data-format"
    assert not (tmp_path / "unpickled").exists()


# ------------------------------------------------------------------------------------------------- splits


@given(st.lists(st.integers(0, 4), max_size=60), st.floats(0.01, 0.99), st.integers(0, 2**40))
@settings(deadline=None)
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
    source = saved(tmp_path, **GOOD)
    assert refused(lambda: open_data(source, "train", validation_split=share)).code == "validation-split"


# ------------------------------------------------------------------------------------------------ folders


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
    assert f"`{name}/`" in wrong.message


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
        monkeypatch.setattr("archspec.runtime.data.examine.CACHE_BYTES", most)
        assert (open_data(str(tmp_path), "validation").pixels is not None) == kept


@pytest.mark.parametrize("below", ["", "train"])
def test_classes_in_one_piece_are_split_by_share(tmp_path: Path, below: str) -> None:
    two_classes(tmp_path / below, 10)
    sides = [open_data(str(tmp_path), side, validation_split=0.2, seed=7) for side in ("train", "validation")]
    assert [class_counts(side) for side in sides] == [(8, 8), (2, 2)]
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert (wrong.code, wrong.help) == (
        "validation-split",
        "--validation-split 0.1 holds out a tenth of every class",
    )
    assert len(open_data(str(tmp_path), "validation")) == 20


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    folder(tmp_path, {f"{name}/{i}": (5, 7, 3) for name in ("boat", "train") for i in range(2)})
    assert open_data(str(tmp_path), "validation").class_names == ("boat", "train")


def test_different_classes_are_named(tmp_path: Path) -> None:
    folder(tmp_path / "train", {f"{name}/0": (5, 7, 3) for name in "abc"})
    folder(tmp_path / "val", {f"{name}/0": (5, 7, 3) for name in "bcde"})
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert (wrong.code, wrong.notes) == ("data-classes", ("only in `train/`: a", "only in `val/`: d, e"))


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
    assert (wrong.code, "folder of its own" in (wrong.help or "")) == ("data-empty", True)


def test_an_empty_class_of_validation_and_folders_within_are_reported(tmp_path: Path) -> None:
    two_classes(tmp_path / "train")
    folder(tmp_path / "val", {"cat/0": (5, 7, 3), "dog/deeper/0": (5, 7, 3)})
    lines: list[str] = []
    assert class_counts(open_data(str(tmp_path), "validation", report=lines.append)) == (1, 0)
    assert [line.split(" of ")[0] for line in lines] == [
        "folders inside class `dog`",
        f"`{tmp_path / 'val'}` has no files in class `dog`",
    ]


def test_a_folder_with_val_alone_can_be_evaluated_and_not_trained_on(tmp_path: Path) -> None:
    two_classes(tmp_path / "val")
    assert len(open_data(str(tmp_path), "validation")) == 6
    assert refused(lambda: open_data(str(tmp_path), "train")).code == "data-not-found"


def bad_folder(root: Path) -> Path:
    two_classes(root)
    Image.fromarray(pixels(40, 30, 3)).save(root / "cat" / "a.jpg", quality=90)
    contents = {
        "cat/notes.txt": b"not an image",
        "cat/empty.png": b"",
        "cat/half.jpg": (root / "cat" / "a.jpg").read_bytes()[:700],
        "dog/half.png": (root / "dog" / "0.png").read_bytes()[:-40],
        "dog/Thumbs.db": b"what Windows leaves",
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    Image.fromarray(pixels(5, 7, 3)).save(root / "dog" / "t.tiff")
    Image.fromarray(pixels(5, 7, 3)).convert("P").save(root / "dog" / "palette.bmp")
    (root / "dog" / "gone.png").symlink_to(root / "nowhere.png")
    return root


def test_files_that_are_no_images_are_named_and_left_out_only_when_asked(tmp_path: Path) -> None:
    bad_folder(tmp_path)
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert (wrong.code, wrong.help) == ("bad-images", "--skip-bad-images leaves them out")
    assert wrong.message == "7 of 14 files cannot be read as images"
    assert {note.removeprefix(str(tmp_path) + os.sep).replace(os.sep, "/") for note in wrong.notes} == {
        "cat/notes.txt: not an image",
        "cat/empty.png: an empty file",
        "cat/half.jpg: a damaged JPEG",
        "dog/half.png: a damaged PNG",
        "dog/t.tiff: a TIFF image, and only JPEG, PNG, BMP, GIF and WebP are read",
        "dog/palette.bmp: a BMP with a palette, which TensorFlow cannot decode",
        "dog/gone.png: not a file",
    }
    lines: list[str] = []
    opened = open_data(str(tmp_path), "validation", skip_bad_images=True, report=lines.append)
    assert class_counts(opened) == (4, 3)
    assert opened.files is not None
    assert not {Path(file).stem for file in opened.files} & {"notes", "empty", "half", "t", "palette", "gone"}
    assert lines[0] == "7 of 14 files cannot be read as images and are left out"


def test_native_libraries_say_nothing_about_bad_files_and_python_still_speaks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad_folder(tmp_path)
    (tmp_path / "cat" / "0.png").unlink()

    def report(line: str) -> None:
        print(line, file=sys.stderr)

    def noisy() -> None:
        decode_bytes(tf, (tmp_path / "cat" / "half.jpg").read_bytes(), 3)

    open_data(str(tmp_path), "validation", skip_bad_images=True, report=report)
    heard = capfd.readouterr().err
    assert heard.startswith("7 of 13 files cannot be read as images and are left out\n")
    assert "JPEG data" not in heard
    with pytest.raises(BadImageError):
        noisy()
    assert "JPEG data" in capfd.readouterr().err


def test_what_python_prints_meanwhile_arrives_on_the_real_stderr() -> None:
    program = """
import os, sys
from archspec.runtime.data.hush import native_messages_dropped
with native_messages_dropped():
    os.write(2, b"native\\n")
    print("python", file=sys.stderr)
print("after", file=sys.stderr, flush=True)
os.write(2, b"native after\\n")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["python", "after", "native after"]


def test_a_long_list_of_bad_files_is_cut_with_the_count(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for i in range(13):
        (tmp_path / "cat" / f"x{i:02}.jpg").write_bytes(b"x")
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert len(wrong.notes) == 11
    assert wrong.notes[-1] == "and 3 more"


def test_a_class_of_bad_files_alone_ends_the_run(tmp_path: Path) -> None:
    two_classes(tmp_path)
    for file in (tmp_path / "dog").iterdir():
        file.write_bytes(b"x")
    wrong = refused(lambda: open_data(str(tmp_path), "train", validation_split=0.4, skip_bad_images=True))
    assert (wrong.code, "class `dog`" in wrong.message) == ("data-empty", True)


def test_a_cache_without_its_bad_images_keeps_pixels_and_labels_together(tmp_path: Path) -> None:
    two_classes(tmp_path)
    (tmp_path / "cat" / "1.png").write_bytes(b"x")
    opened = open_data(str(tmp_path), "validation", skip_bad_images=True)
    assert opened.pixels is not None
    assert opened.labels.tolist() == [0, 0, 1, 1, 1]
    np.testing.assert_array_equal(opened.pixels[1], np.asarray(Image.open(tmp_path / "cat" / "2.png")))


def test_a_small_file_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path) -> None:
    two_classes(tmp_path)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "cat" / "bomb.png")
    assert (tmp_path / "cat" / "bomb.png").stat().st_size < 2**20
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert wrong.notes[0].endswith("an image of more than 178,956,970 pixels")


def test_names_that_are_no_utf8_can_be_read_and_printed(tmp_path: Path) -> None:
    two_classes(tmp_path)
    name = os.fsdecode(b"\xff.png")
    (tmp_path / "cat" / "0.png").rename(tmp_path / "cat" / name)
    folder(tmp_path, {"dog/other": (4, 4, 3)})
    assert any(file.endswith(name) for file in open_data(str(tmp_path), "validation").files or ())
    (tmp_path / "cat" / name).write_bytes(b"x")
    wrong = refused(lambda: open_data(str(tmp_path), "validation"))
    assert wrong.notes[0].endswith("\\xff.png: not an image")


def test_a_folder_that_may_not_be_read_is_an_error_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_classes(tmp_path)

    def closed(self: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", closed)
    wrong = refused(lambda: open_data(str(tmp_path), "train"))
    assert wrong.message == f"cannot read `{tmp_path}`: permission denied"


def test_files_cannot_serve_a_network_of_five_channels(tmp_path: Path) -> None:
    assert refused(lambda: open_data(str(two_classes(tmp_path)), "train", channels=5)).code == "data-shape"


def test_images_have_pixels_or_files() -> None:
    with pytest.raises(ValueError, match="either"):
        Images(("a", "b"), np.zeros(2, np.int32))
