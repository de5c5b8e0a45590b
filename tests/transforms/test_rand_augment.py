"""The operations of rand_augment are Pillow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from archspec.transforms import TRANSFORMS
from archspec.transforms.rand_augment import OPERATIONS, TRANSLATION

RNG = np.random.default_rng(21)
PICTURE = RNG.integers(20, 200, (31, 42, 3), np.uint8)
PILLOW = Image.fromarray(PICTURE)


def done(name: str, level: float, sign: float, image: np.ndarray = PICTURE) -> np.ndarray:
    images = tf.cast(image[None], tf.float32)
    result: np.ndarray = OPERATIONS[name](tf, images, level, tf.constant(sign), 77.0)[0].numpy()
    return result


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize(
    ("name", "pillow"),
    [
        ("nothing", lambda factor: PILLOW),
        ("brightness", lambda factor: ImageEnhance.Brightness(PILLOW).enhance(factor)),
        ("color", lambda factor: ImageEnhance.Color(PILLOW).enhance(factor)),
        ("contrast", lambda factor: ImageEnhance.Contrast(PILLOW).enhance(factor)),
        ("sharpness", lambda factor: ImageEnhance.Sharpness(PILLOW).enhance(factor)),
        ("posterize", lambda factor: ImageOps.posterize(PILLOW, 6)),
        ("solarize", lambda factor: ImageOps.solarize(PILLOW, 128)),
        ("autocontrast", lambda factor: ImageOps.autocontrast(PILLOW)),
        ("equalize", lambda factor: ImageOps.equalize(PILLOW)),
        ("shear_x", lambda factor: affine(1, (factor - 1) / 3, 0, 0, 1, 0)),
        ("shear_y", lambda factor: affine(1, 0, 0, (factor - 1) / 3, 1, 0)),
        ("rotate", lambda factor: PILLOW.rotate(15 * np.sign(factor - 1), Image.Resampling.BILINEAR)),
    ],
)
def test_an_operation_is_pillows(name: str, pillow: Any, sign: float) -> None:
    expected = np.asarray(pillow(1 + 0.45 * sign), float)
    here = done(name, 0.5, sign)
    moved = name in ("shear_x", "shear_y", "rotate")
    if moved:  # Pillow leaves black what it uncovers, and rounds differently there
        kept = (expected.min(-1) > 0) & (np.abs(here - 77).max(-1) > 0)
        kept &= np.pad(kept[1:-1, 1:-1], 1)
        assert kept.sum() > 60
        # Pillow counts places from pixels' corners in affine maps: half a pixel times the shear, of noise
        assert np.abs(here - expected)[kept].mean() < (6 if name == "rotate" else 12)
    else:
        assert np.abs(here - expected).max() <= 1.6


def affine(*numbers: float) -> Image.Image:
    return PILLOW.transform(PILLOW.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)


def test_translation_moves_whole_pixels_and_uncovers_the_grey() -> None:
    level = 4 / (42 * TRANSLATION)
    right, left = done("translate_x", level, -1.0), done("translate_x", level, 1.0)
    np.testing.assert_allclose(right[:, 4:], PICTURE[:, :-4], atol=0.01)
    np.testing.assert_allclose(left[:, :-4], PICTURE[:, 4:], atol=0.01)
    np.testing.assert_allclose(right[:, :3], 77, atol=0.01)
    down = done("translate_y", 2 / (31 * TRANSLATION), -1.0)
    np.testing.assert_allclose(down[2:], PICTURE[:-2], atol=0.01)


def test_every_operation_is_drawn_and_no_magnitude_changes_little() -> None:
    augment = TRANSFORMS["rand_augment"].make({"count": 1, "magnitude": 15})
    results = set()
    for i in range(14):
        draws = np.zeros(8, np.float32)
        draws[0] = (i + 0.5) / 14
        result = augment.apply(tf, tf.constant(PICTURE), tf.constant(draws)).numpy()
        np.testing.assert_allclose(
            result,
            OPERATIONS[list(OPERATIONS)[i]](tf, tf.cast(PICTURE[None], tf.float32), 0.5, tf.constant(-1.0), 128.0)[0],
            atol=1e-4,
        )
        results.add(result.tobytes())
    assert len(results) == 14
    for name in OPERATIONS:
        if name not in ("autocontrast", "equalize"):
            np.testing.assert_allclose(done(name, 0.0, 1.0), PICTURE, atol=0.01)


def test_an_operation_that_was_drawn_is_applied_with_probability_p() -> None:
    """The second draw of an operation is its sign and then, what is left of it, whether it is applied."""
    augment = TRANSFORMS["rand_augment"].make({"count": 1, "magnitude": 15, "p": 0.25, "value": 77})
    for second, sign in ((0.1, -1.0), (0.13, None), (0.49, None), (0.6, 1.0), (0.63, None), (0.99, None)):
        draws = np.zeros(8, np.float32)
        draws[0], draws[1] = 11.5 / 14, second
        here = augment.apply(tf, tf.constant(PICTURE), tf.constant(draws)).numpy()
        expected = PICTURE if sign is None else done("translate_x", 0.5, sign)
        np.testing.assert_allclose(here, expected, atol=1e-3)


def test_operations_follow_one_another() -> None:
    augment = TRANSFORMS["rand_augment"].make({"count": 2, "magnitude": 15})
    draws = np.zeros(8, np.float32)
    draws[0], draws[2], draws[1], draws[3] = 1.5 / 14, 11.5 / 14, 0.9, 0.9
    here = augment.apply(tf, tf.constant(PICTURE), tf.constant(draws))
    brighter = OPERATIONS["brightness"](tf, tf.cast(PICTURE[None], tf.float32), 0.5, tf.constant(1.0), 128.0)
    expected = OPERATIONS["translate_x"](tf, brighter, 0.5, tf.constant(1.0), 128.0)[0]
    np.testing.assert_allclose(here, expected, atol=1e-3)
