"""The contact sheet: each view in its place, and what it shows is what the network gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from archspec.runtime.data.pipeline.preprocess import preprocess_image
from archspec.runtime.data.report.preview import contact_sheet, spread
from tests.cli.conftest import Run, run
from tests.runtime.data.image_files import two_parts

__all__ = ["run"]
RNG = np.random.default_rng(12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_parts(tmp_path / "pictures")


def test_a_preview_shows_evaluation_then_augmentation(folder: Path, run: Run, tmp_path: Path) -> None:
    spec = "name: net\ninput: [6, 5, 3]\nlayers: [flatten, dense: 2]\ntrain:\n  augment: [random_crop, pad: 0]\n"
    (tmp_path / "net.yaml").write_text(spec)
    arguments = ("data", "preview", tmp_path / "net.yaml", "--data", folder, "-o", tmp_path / "sheet.png")
    result = run(*arguments, "--rows", 3, "--columns", 4)
    assert (result.status, result.err) == (0, "")
    assert "3 images, 4 views of each" in result.out
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert pixels.shape[2] == 3
    # sheets are drawn of tiles of 16 x 6 by 16 x 5 pixels, 4 apart, under 16 of words
    assert pixels.shape[:2] == (3 * (96 + 20) + 20, 4 * (80 + 4) + 4)
    tiles = pixels[32:128:16, 4:]
    assert len({tiles[:, start : start + 80 : 16].tobytes() for start in range(0, 4 * 84, 84)}) > 1
    assert run(*arguments).status == 1, "it is not overwritten"
    assert run(*arguments[:-1], tmp_path / "sheet.gif").status == 1


def test_rows_are_taken_of_every_class_in_turn() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2], np.int32)
    assert spread(labels, 3).tolist() == [0, 3, 5]
    assert spread(labels, 5).tolist() == [0, 1, 3, 4, 5]
    assert spread(labels, 99).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_sheet_puts_each_view_in_its_place() -> None:
    views = RNG.uniform(-40, 300, (2, 3, 100, 120, 1)).astype(np.float32)
    pixels = contact_sheet(views, ["a", "b"], ["x", "y", "z"])
    for row in range(2):
        for column in range(3):
            top, left = 32 + row * 120, 4 + column * 124
            here = pixels[top : top + 100, left : left + 120]
            expected = np.clip(np.rint(views[row, column]), 0, 255)
            np.testing.assert_array_equal(here, np.repeat(expected, 3, -1))


def test_a_sheet_has_letters_for_names_that_are_not_english() -> None:
    """What a font has no letter for, it draws as one and the same box."""
    views = np.zeros((1, 1, 96, 96, 1), np.float32)
    drawn = {
        contact_sheet(views, [name], ["evaluation"])[:36].tobytes() for name in "\u0378öжλ☃"
    }  # the first is no letter
    assert len(drawn) == 5


def test_what_the_sheet_shows_of_an_image_are_windows_of_it(folder: Path, run: Run, tmp_path: Path) -> None:
    """Each of them somewhere in it, mirrored or not; two epochs in a row seldom see the same."""
    spec = "name: net\ninput: [6, 5, 3]\nlayers: [flatten, dense: 2]\ntrain:\n  augment: [random_crop, random_flip]\n"
    (tmp_path / "net.yaml").write_text(spec)
    out = tmp_path / "sheet.png"
    result = run("data", "preview", tmp_path / "net.yaml", "--data", folder, "-o", out, "--rows", 5, "--columns", 6)
    assert (result.status, result.err) == (0, "")
    drawn = np.asarray(Image.open(out))
    files = [folder / f"train/{name}.png" for name in ("cat/0", "cat/1", "cat/2", "dog/0", "dog/1")]
    seen = set()
    for row, file in enumerate(files):
        image = np.asarray(Image.open(file))
        windows = np.lib.stride_tricks.sliding_window_view(image, (6, 5, 3)).reshape(-1, 6, 5, 3)
        possible = {window.tobytes() for each in (windows, windows[:, :, ::-1]) for window in each}
        for column in range(6):
            top, left = 32 + row * 116, 4 + column * 84  # tiles of 6 x 5 pixels, 16 times enlarged
            tile = drawn[top : top + 96, left : left + 80]
            pixels = tile[::16, ::16]
            np.testing.assert_array_equal(tile, pixels.repeat(16, 0).repeat(16, 1))
            if column:
                assert pixels.tobytes() in possible
                seen.add((row, pixels.tobytes()))
            else:
                view = preprocess_image(tf, tf.constant(image), (6, 5, 3), ())
                np.testing.assert_array_equal(pixels, np.rint(view).astype(np.uint8))
    assert len(seen) > 15  # of 25 that are drawn from 80 and more
