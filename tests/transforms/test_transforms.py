"""What every transform declares is what it does; crops, shifts, flips and resizing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from typing import Any

import jsonschema
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.declare import arguments
from archspec.ops.base import OpError
from archspec.transforms import TRANSFORMS
from archspec.transforms.frame import rounded
from tests.transforms.small_network import images_of, made

EXAMPLES = [(name, args, shape) for name, declared in TRANSFORMS.items() for args, shape in declared.examples]


def draws_of(transform: Any, count: int = 4) -> np.ndarray:
    return np.random.default_rng(4).random((count, transform.draws), dtype=np.float32)


@pytest.mark.parametrize(("name", "args", "shape"), EXAMPLES)
def test_declared_shape_is_what_comes_out_and_a_batch_is_its_images(name: str, args: Any, shape: Any) -> None:
    transform = made(name, args)
    images, draws = images_of(shape), draws_of(transform)
    declared = transform.shape(shape)
    alone = [
        transform.apply(tf, tf.constant(image), tf.constant(own)) for image, own in zip(images, draws, strict=True)
    ]
    for image in alone:
        assert len(image.shape) == len(declared)
        assert all(side in (None, here) for side, here in zip(declared, image.shape, strict=True))
    if transform.batched:
        together = transform.apply_batch(tf, tf.constant(images), tf.constant(draws))
        # 0.01 grey levels: an image that is enlarged before a crop is computed in its window only when it is alone
        np.testing.assert_allclose(tf.cast(together, tf.float32), np.stack(alone), atol=0.01)


@pytest.mark.parametrize(("name", "args", "shape"), EXAMPLES)
def test_images_whose_sides_are_unknown_come_out_the_same(name: str, args: Any, shape: Any) -> None:
    transform = made(name, args)
    image, draws = images_of(shape)[0], draws_of(transform)[0]

    @tf.function(input_signature=[tf.TensorSpec([*(None,) * (len(shape) - 1), shape[-1]], tf.uint8)], autograph=False)
    def unknown(image: Any) -> Any:
        return tf.cast(transform.apply(tf, image, tf.constant(draws)), tf.float32)

    known = transform.apply(tf, tf.constant(image), tf.constant(draws))
    np.testing.assert_allclose(unknown(image), tf.cast(known, tf.float32), atol=0.01)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_has_its_line_its_examples_and_documented_arguments(name: str) -> None:
    declared = TRANSFORMS[name]
    assert declared.__doc__
    assert declared.__doc__.splitlines()[0].endswith((".", ")."))
    assert declared.examples
    for argument in arguments(declared):
        assert argument.doc
        for args, _ in declared.examples:
            if argument.name in args:
                jsonschema.validate(args[argument.name], dict(argument.schema), jsonschema.Draft7Validator)
    assert declared.draws == 0 or any(
        not np.array_equal(
            made(name, args).apply(tf, tf.constant(images_of(shape)[0]), tf.fill((declared.draws,), 0.01)),
            made(name, args).apply(tf, tf.constant(images_of(shape)[0]), tf.fill((declared.draws,), 0.99)),
        )
        for args, shape in declared.examples
    ), "a transform that takes draws heeds them"


def test_importing_the_transforms_imports_neither_tensorflow_nor_numpy() -> None:
    program = "import sys, archspec.transforms; print(*({'tensorflow', 'keras', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if n not in ("scale", "subtract_mean", "normalize", "mixup")])
def test_geometry_refuses_a_series(name: str) -> None:
    args = TRANSFORMS[name].examples[0][0]
    with pytest.raises(OpError, match=f"`{name}` needs images"):
        TRANSFORMS[name].make(args).shape((128, 9))


@pytest.mark.parametrize(
    ("name", "args", "argument"),
    [
        ("subtract_mean", {"mean": [1, 2]}, "mean"),
        ("normalize", {"mean": 1, "std": [1, 2, 3, 4]}, "std"),
        ("resize_smallest_side", {"size": [9, 5]}, "size"),
    ],
)
def test_arguments_that_do_not_fit_are_pointed_at(name: str, args: Any, argument: str) -> None:
    with pytest.raises(OpError) as caught:
        TRANSFORMS[name].make(args).shape((11, 7, 3))
    assert caught.value.arg == argument


@given(st.floats(0, 1, exclude_max=True, width=32), st.floats(0, 1, exclude_max=True, width=32), st.booleans())
@settings(max_examples=60)
def test_a_random_crop_of_a_padded_image_is_numpys(u: float, v: float, alone: bool) -> None:
    image = images_of((7, 5, 3), 1)
    draws = np.array([[u, v]], np.float32)
    padded = made("pad", {"pixels": 4, "value": 9}).apply_batch(tf, tf.constant(image), tf.constant(draws[:, :0]))
    crop = made("random_crop", {"size": [7, 5]})
    here = crop.apply(tf, padded[0], draws[0]) if alone else crop.apply_batch(tf, padded, tf.constant(draws))[0]
    top, left = int(np.float32(u) * 9), int(np.float32(v) * 9)
    assert 0 <= top <= 8
    assert 0 <= left <= 8
    whole = np.pad(image[0], [(4, 4), (4, 4), (0, 0)], constant_values=9)
    np.testing.assert_array_equal(here, whole[top : top + 7, left : left + 5])


def test_a_centre_crop_leaves_the_odd_pixel_below_and_to_the_right() -> None:
    images = images_of((11, 8, 3), 2)
    cropped = made("center_crop", {"size": [6, 5]}).apply_batch(tf, tf.constant(images), tf.zeros((2, 0)))
    np.testing.assert_array_equal(cropped, images[:, 2:8, 1:6])


def test_every_place_is_reached_and_the_greatest_draw_stays_inside() -> None:
    ramp = np.arange(11 * 7, dtype=np.uint8).reshape(1, 11, 7, 1)
    draws = np.linspace(0, 1, 400, endpoint=False, dtype=np.float32)
    draws[-1] = np.nextafter(np.float32(1), np.float32(0))
    crop = made("random_crop", {"size": [4, 7]})
    tops = [int(crop.apply_batch(tf, tf.constant(ramp), tf.constant([[u, u]]))[0, 0, 0, 0]) // 7 for u in draws]
    counts = np.bincount(tops)
    assert len(counts) == 11 - 4 + 1
    assert counts.min() >= 49


@given(st.integers(0, 3), st.floats(0, 1, exclude_max=True, width=32), st.floats(0, 1, exclude_max=True, width=32))
@settings(max_examples=40)
def test_a_shift_moves_the_image_and_uncovers_black(pixels: int, u: float, v: float) -> None:
    image = images_of((7, 5, 1), 1)
    shifted = made("random_shift", {"pixels": pixels}).apply(tf, tf.constant(image[0]), tf.constant([u, v], tf.float32))
    down, right = (pixels - int(np.float32(draw) * (2 * pixels + 1)) for draw in (u, v))
    expected = np.zeros_like(image[0])
    for row in range(7):
        for column in range(5):
            if 0 <= row - down < 7 and 0 <= column - right < 5:
                expected[row, column] = image[0, row - down, column - right]
    np.testing.assert_array_equal(shifted, expected)


def test_a_flip_happens_below_p_alone_and_mirrors_its_axis() -> None:
    images = images_of((5, 7, 3), 2)
    draws = tf.constant([[0.29], [0.31]])
    np.testing.assert_array_equal(
        made("random_flip", {"p": 0.3}).apply_batch(tf, tf.constant(images), draws), [images[0, :, ::-1], images[1]]
    )
    np.testing.assert_array_equal(
        made("random_flip", {"mode": "vertical", "p": 0.3}).apply_batch(tf, tf.constant(images), draws),
        [images[0, ::-1], images[1]],
    )


@pytest.mark.parametrize(("shape", "size"), [((11, 7, 3), 5), ((7, 31, 1), 11), ((40, 23, 3), 9)])
def test_resizing_is_pillows_bilinear_to_a_rounding(shape: tuple[int, int, int], size: int) -> None:
    from PIL import Image

    image = images_of(shape, 1)[0]
    height, width = rounded(shape[0] * size, min(shape[:2])), rounded(shape[1] * size, min(shape[:2]))
    here = made("resize_smallest_side", {"size": size}).apply(tf, tf.constant(image), tf.constant([0.5])).numpy()
    for channel in range(shape[2]):
        plane = Image.fromarray(image[..., channel]).resize((width, height), Image.Resampling.BILINEAR)
        assert np.abs(here[..., channel] - np.asarray(plane, np.float32)).max() <= 1.0


def test_a_strip_is_cut_to_its_middle_before_it_would_fill_memory() -> None:
    strip = np.arange(200, dtype=np.uint8).reshape(1, 200, 1)
    resized = made("resize_smallest_side", {"size": 1}).apply(tf, tf.constant(strip), tf.constant([0.5]))
    np.testing.assert_array_equal(resized[0, :, 0], np.arange(68, 132))


def test_scale_jitter_draws_both_ends() -> None:
    jitter = made("resize_smallest_side", {"size": [5, 7]})
    draws = (0.0, 0.34, 0.67, float(np.nextafter(np.float32(1), np.float32(0))))
    smallest = [min(jitter.apply(tf, tf.constant(images_of((11, 9, 3))[0]), tf.constant([u])).shape[:2]) for u in draws]
    assert smallest == [5, 6, 7, 7]


def test_values_are_the_formulas_in_float32() -> None:
    image = images_of((5, 7, 3), 1)
    exact = image.astype(np.float64)
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.25])
    chain = [made("scale", {}), made("normalize", {"mean": mean.tolist(), "std": std.tolist()})]
    here = tf.constant(image)
    for transform in chain:
        here = transform.apply_batch(tf, here, tf.zeros((1, 0)))
    assert here.dtype == tf.float32
    np.testing.assert_allclose(here, (exact / 255 - mean) / std, atol=2e-6)
    shifted = made("subtract_mean", {"mean": [123.68, 116.78, 103.94]}).apply_batch(tf, tf.constant(image), None)
    np.testing.assert_allclose(shifted, exact - [123.68, 116.78, 103.94], atol=2e-5)
    halved = made("scale", {"factor": 1 / 127.5, "offset": -1}).apply_batch(tf, tf.constant(image), None)
    np.testing.assert_allclose(halved, exact / 127.5 - 1, atol=1e-6)


def test_a_crop_takes_the_networks_input_when_it_has_no_size() -> None:
    for name in ("random_crop", "center_crop"):
        assert made(name, {}).shape((11, 7, 3)) == (6, 5, 3)
        assert made(name, {"size": 4}).shape((11, 7, 3)) == (4, 4, 3)
        assert [field.name for field in fields(TRANSFORMS[name])] == ["size"]
