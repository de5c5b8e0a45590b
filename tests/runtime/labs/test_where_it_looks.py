"""Occlusion and Grad-CAM on generated images: covers, corners and shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.runtime.labs.experiments.grad_cam import CORNER, planted, random_corners, share_inside, with_corner
from archspec.runtime.labs.experiments.occlusion import covered, elsewhere
from archspec.runtime.labs.generated import RGB
from archspec.runtime.labs.shape_images import drawn, inside_boxes, splits


@given(st.integers(0, 2**31))
def test_the_cover_of_the_background_leaves_the_object_alone(seed: int) -> None:
    test = drawn(20, seed, noise=0)
    cover = elsewhere(test.boxes, 32)
    left, top, right, bottom = cover.T
    assert np.all((left >= 0) & (top >= 0) & (right <= 32) & (bottom <= 32))
    assert np.all((left < right) & (top < bottom))
    changed = (covered(test.pixels, cover) != test.pixels).any(axis=-1)
    assert not np.any(changed & inside_boxes(test))


def test_covering_the_object_hides_all_of_it() -> None:
    """Without noise the background has one grey; what is left after covering the object has only that."""
    test = drawn(30, 0, noise=0)
    for image, pixels in zip(covered(test.pixels, test.boxes), test.pixels, strict=True):
        rest = image[(image != 127).any(axis=-1)]
        background = pixels[0, 0] if (pixels[0, 0] == pixels[0, 31]).all() else pixels[31, 31]
        assert np.abs(rest.astype(int) - background).max() <= 1


def test_the_corner_has_the_color_of_its_class() -> None:
    images = np.zeros((4, 32, 32, 3), np.uint8)
    found = with_corner(images, np.arange(4))
    assert [tuple(image[0, 0]) for image in found] == list(RGB.values())
    assert found[:, CORNER:].max() == found[:, :, CORNER:].max() == 0
    assert not images.any()


def test_the_planted_share_has_the_color_of_the_class() -> None:
    classes = np.random.default_rng(0).integers(4, size=4000)
    found = planted(0.8)(np.zeros((4000, 8, 8, 3), np.uint8), classes, np.random.default_rng(1))
    own = (found[:, 0, 0] == np.array(list(RGB.values()))[classes]).all(axis=1)
    assert own.mean() == pytest.approx(0.8 + 0.2 / 4, abs=0.02)


def test_the_clean_corners_say_nothing_about_the_class() -> None:
    """As written for training: a quarter has the color of its class by chance."""
    train = drawn(2000, 0, noise=0)
    (x, labels), _ = splits(train, drawn(4, 1, noise=0), random_corners)
    corners = x[:, 0, 0]
    own = (corners == np.array(list(RGB.values()))[labels]).all(axis=1)
    assert own.mean() == pytest.approx(0.25, abs=0.03)


def test_shares_of_a_map() -> None:
    maps = np.zeros((2, 4, 4))
    maps[0, 0, 0], maps[0, 3, 3] = 1, 3
    inside = np.zeros((4, 4), bool)
    inside[:2, :2] = True
    found = share_inside(maps, inside)
    assert found[0] == pytest.approx(0.25)
    assert np.isnan(found[1])  # a map of zeros lies nowhere
