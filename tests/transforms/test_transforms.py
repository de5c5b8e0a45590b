"""What every transform declares is what it does; and the laws of those that are drawn."""

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
from archspec.transforms.frame import rounded, whole

EXAMPLES = [(name, args, shape) for name, declared in TRANSFORMS.items() for args, shape in declared.examples]
INPUT = (6, 5, 3)  # of a network that no image of the examples has


def images_of(shape: tuple[int, ...], count: int = 4) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, *shape), dtype=np.uint8)


def made(name: str, args: dict[str, Any]) -> Any:
    return TRANSFORMS[name].make(args).for_input(INPUT)


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


# ------------------------------------------------------------------------------------------ colors and erasing


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
