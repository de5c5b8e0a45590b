"""Colors, hidden regions and random windows, compared with Pillow, torchvision and formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from archspec.ops.base import OpError
from archspec.transforms import TRANSFORMS
from archspec.transforms.frame import whole
from tests.transforms.small_network import images_of, made


def uniform_draws(count: int, columns: int) -> np.ndarray:
    return np.random.default_rng(5).random((count, columns), dtype=np.float32)


def test_the_colors_of_pca_have_the_covariance_that_the_components_say() -> None:
    pca = made("pca_color", {})
    black = tf.zeros((40_000, 1, 1, 3))
    colors = pca.apply_batch(tf, black, tf.constant(uniform_draws(40_000, 4))).numpy()[:, 0, 0]
    components, deviations = np.array(pca.components), np.array(pca.deviations) * 0.1
    expected = components.T @ np.diag(deviations**2) @ components
    np.testing.assert_allclose(np.cov(colors.T), expected, rtol=0.03)
    assert np.abs(colors.mean(0)).max() < 4 * 5.6 * 0.58 / 200  # four standard errors
    # ImageNet's components are orthonormal to their four digits: a spec that swaps rows and columns would still be
    np.testing.assert_allclose(components @ components.T, np.eye(3), atol=5e-4)
    assert np.cov(colors.T)[0, 2] > 0, "red and blue rise together"


def test_jitter_is_pillows_enhancement() -> None:
    from PIL import Image, ImageEnhance

    image = images_of((9, 8, 3), 1)
    high = np.nextafter(np.float32(1), np.float32(0))
    enhancers = {
        "brightness": (ImageEnhance.Brightness, 0),
        "contrast": (ImageEnhance.Contrast, 1),
        "saturation": (ImageEnhance.Color, 2),
    }
    for argument, (enhancer, column) in enhancers.items():
        for draw, factor in ((0.0, 0.6), (0.5, 1.0), (high, 1.4)):
            draws = np.full((1, 4), 0.25, np.float32)
            draws[0, column] = draw
            here = made("color_jitter", {argument: 0.4}).apply_batch(tf, tf.constant(image), tf.constant(draws))[0]
            expected = np.asarray(enhancer(Image.fromarray(image[0])).enhance(factor), int)
            assert np.abs(here - expected).max() <= 1.5  # Pillow rounds the grey level and the result
    unchanged = made("color_jitter", {"hue": 0.5}).apply_batch(tf, tf.constant(image), tf.fill((1, 4), 0.5))
    np.testing.assert_allclose(unchanged, image, atol=0.01)
    half_round = made("color_jitter", {"hue": 0.5}).apply_batch(tf, tf.constant([[[[255, 0, 0]]]]), tf.zeros((1, 4)))
    np.testing.assert_allclose(half_round[0, 0, 0], [0, 255, 255], atol=0.01)


def test_cutout_hides_a_square_around_every_centre_alike() -> None:
    white = tf.fill((11 * 7 * 4, 11, 7, 1), tf.constant(255, tf.uint8))
    u, v = np.meshgrid((np.arange(22) + 0.5) / 22, (np.arange(14) + 0.5) / 14, indexing="ij")
    draws = tf.constant(np.stack([u.ravel(), v.ravel()], -1).astype(np.float32))
    hidden = made("cutout", {"size": 3, "value": 9}).apply_batch(tf, white, draws).numpy()[..., 0] == 9
    counts = hidden.reshape(11, 2, 7, 2, 11, 7).sum((1, 3)) / 4
    expected = np.zeros((11, 7, 11, 7))
    for row, column in np.ndindex(11, 7):
        expected[row, column, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 1
    np.testing.assert_array_equal(counts, expected)


def test_erasing_keeps_its_probability_area_and_shape() -> None:
    grey = tf.zeros((2000, 40, 50, 1), tf.uint8)
    erasing = made("random_erasing", {"p": 0.3, "area": [0.1, 0.2], "ratio": [0.5, 2.0], "value": 200})
    hidden = erasing.apply_batch(tf, grey, tf.constant(uniform_draws(2000, 5))).numpy()[..., 0] == 200
    areas = hidden.sum((1, 2))
    erased = hidden[areas > 0]
    assert abs(len(erased) / 2000 - 0.3) < 0.045  # four standard errors
    heights, widths = erased.any(2).sum(1), erased.any(1).sum(1)
    np.testing.assert_array_equal(heights * widths, areas[areas > 0])  # one whole rectangle
    assert 0.09 < areas[areas > 0].min() / 2000 < 0.11
    assert 0.19 < areas.max() / 2000 < 0.21
    assert 0.45 < (heights / widths).min() < 0.55
    assert 1.8 < (heights / widths).max() < 2.2
    assert erased.mean(0).min() < 0.06 < 0.15 < erased.mean(0).max(), "the corners are seldom hidden"


def torchvision_windows(draws: Any, height: int, width: int, area: Any) -> Any:
    """RandomResizedCrop.get_params: ten windows, None for those that exceed the image, then the one in the middle."""
    for i in range(10):
        pixels = (area[0] + (area[1] - area[0]) * draws[2 * i]) * height * width
        ratio = np.exp(np.log(3 / 4) + (np.log(4 / 3) - np.log(3 / 4)) * draws[2 * i + 1])
        rows, columns = round(np.sqrt(pixels * ratio)), round(np.sqrt(pixels / ratio))
        yield (rows, columns) if 0 < rows <= height and 0 < columns <= width else None
    if width / height < 3 / 4:
        yield round(width / (3 / 4)), width
    elif width / height > 4 / 3:
        yield height, round(height * (4 / 3))
    else:
        yield height, width


@pytest.mark.parametrize(("height", "width"), [(375, 500), (64, 64), (300, 900), (900, 300), (3, 200)])
def test_windows_are_torchvisions(height: int, width: int) -> None:
    draws = uniform_draws(400, 22)
    crop = made("random_resized_crop", {"size": 8})
    frame = crop.frame(tf, whole(tf, np.broadcast_to([height, width], (400, 2))), tf.constant(draws))  # type: ignore[attr-defined]
    tried, middle = [], 0
    for row, corner, extent in zip(draws, frame.corner.numpy(), frame.extent.numpy(), strict=True):
        windows = list(torchvision_windows(row.astype(float), height, width, (0.08, 1)))
        number = next(i for i, each in enumerate(windows) if each is not None)
        tried.append(number)
        middle += number == 10
        # float32 may round a half the other way
        assert np.abs(extent - windows[number]).max() <= (0 if number == 10 else 1)
        places = np.array([height, width]) - extent + 1
        expected = (places - 1) // 2 if number == 10 else np.floor(row[20:] * places)
        assert np.abs(corner - expected).max() <= 1
    # the middle is what remains after ten: never of photographs, often of strips
    assert (middle > 0) == (max(height, width) >= 3 * min(height, width))
    assert max(tried) > 0


def test_every_place_of_a_resized_crop_is_equally_likely() -> None:
    """Of a window of 6 x 6 in 8 x 8 the corner has three rows: 1,000 draws give each 333, with a deviation of 15."""
    crop = made("random_resized_crop", {"size": 6, "area": [0.5625, 0.5625], "ratio": [1, 1]})
    frame = crop.frame(tf, whole(tf, np.broadcast_to([8, 8], (1000, 2))), tf.constant(uniform_draws(1000, 22)))  # type: ignore[attr-defined]
    np.testing.assert_array_equal(frame.extent, 6)
    for axis in range(2):
        assert np.abs(np.bincount(frame.corner.numpy()[:, axis].astype(int), minlength=3) - 1000 / 3).max() < 60


def test_a_resized_crop_shows_pillows_box_of_the_drawn_area() -> None:
    from PIL import Image

    y, x = np.mgrid[:60, :90].astype(float)
    image = (np.sin(x / 9) * np.cos(y / 7) * 100 + 120).astype(np.uint8)
    crop = made("random_resized_crop", {"size": [20, 15], "area": [0.1, 0.6]})
    for draws in uniform_draws(12, 22):
        height, width = next(each for each in torchvision_windows(draws, 60, 90, (0.1, 0.6)) if each is not None)
        top, left = int(draws[20] * (60 - height + 1)), int(draws[21] * (90 - width + 1))
        box = (left, top, left + width, top + height)
        expected = Image.fromarray(image).resize((15, 20), Image.Resampling.BILINEAR, box=box)
        here = crop.apply(tf, tf.constant(image[..., None]), tf.constant(draws)).numpy()[..., 0]
        # inside: at its borders archspec's filter sees beyond the box
        assert np.abs(here - np.asarray(expected, float))[1:-1, 1:-1].max() <= 1.0


@pytest.mark.parametrize(
    ("name", "args", "argument"),
    [
        ("random_erasing", {"area": [0.4, 0.1]}, "area"),
        ("random_erasing", {"area": [0.4, 1.1]}, "area"),
        ("random_resized_crop", {"size": 5, "ratio": [2, 1]}, "ratio"),
    ],
)
def test_ranges_that_are_none_are_pointed_at(name: str, args: Any, argument: str) -> None:
    with pytest.raises(OpError) as caught:
        TRANSFORMS[name].make(args).shape((11, 7, 3))
    assert caught.value.arg == argument


@pytest.mark.parametrize("name", ["pca_color", "color_jitter"])
def test_colors_need_three_channels(name: str) -> None:
    with pytest.raises(OpError, match="needs three channels"):
        TRANSFORMS[name].make({}).shape((11, 7, 1))
