"""The law of windows: what is decoded and resampled of a file is what its frame shows of the whole image.

The whole image is Pillow's, turned upright by Pillow; its resampling is the definition, in NumPy.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import training_batches
from archspec.runtime.data.pipeline.epoch_plan import epoch_plan
from archspec.transforms import TRANSFORMS
from archspec.transforms.frame import whole

INPUT = (7, 5, 3)
FRAMINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("resize_smallest_side", {"size": 9}),
    ("resize_smallest_side", {"size": [12, 30]}),
    ("random_crop", {}),
    ("random_crop", {"size": [11, 17]}),
    ("center_crop", {"size": 8}),
    ("random_resized_crop", {"size": [10, 12]}),
)
REST: tuple[tuple[str, dict[str, Any]], ...] = (
    ("random_flip", {}),
    ("random_flip", {"mode": "vertical", "p": 0.4}),
    ("pad", {"pixels": 1, "value": 40}),
    ("random_shift", {"pixels": 2}),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """A JPEG of each EXIF orientation, and a PNG, a PNG with an orientation and a progressive grey JPEG."""
    root = tmp_path_factory.mktemp("windows")
    for i in range(11):
        y, x = np.mgrid[: 31 + 3 * i, : 57 - 4 * i].astype(float)
        waves = [np.sin(x / (5 + c) + c + i) * np.cos(y / (7 - c)) * 80 + 125 for c in range(3)]
        image = Image.fromarray(np.stack(waves, -1).astype(np.uint8))
        exif = Image.Exif()
        exif[0x0112] = i + 1 if i < 8 else 6
        if i < 8:
            image.save(root / f"{i:02}.jpg", quality=95, subsampling=0, exif=exif)
        elif i < 10:
            image.save(root / f"{i:02}.png", exif=exif if i == 9 else None)
        else:
            image.convert("L").save(root / f"{i:02}.jpg", quality=95, progressive=True)
    paths = tuple(map(str, sorted(root.iterdir())))
    labels = np.arange(11, dtype=np.int32)
    return Images(tuple(f"c{i}" for i in labels), labels, files=paths)


def weights(corner: float, extent: float, size: int, pixels: int) -> np.ndarray:
    """Of the pixels of a side in each of `size` results: triangles as wide as a result, at least as a pixel."""
    step = extent / size
    centres = corner + (np.arange(size) + 0.5) * step
    triangles = np.maximum(0, 1 - np.abs(np.arange(pixels) + 0.5 - centres[:, None]) / max(step, 1))
    return triangles / triangles.sum(1, keepdims=True)  # type: ignore[no-any-return]


def seen_by_hand(path: str, framings: list[Any], draws: np.ndarray) -> np.ndarray:
    image = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"), float)
    frame = whole(tf, image.shape[:2])
    for framing in framings:
        frame = framing.frame(tf, frame, tf.constant(draws[: framing.draws]))
        draws = draws[framing.draws :]
    rows, columns = (
        weights(*pair) for pair in zip(*(part.numpy().tolist() for part in frame), image.shape[:2], strict=True)
    )
    return np.einsum("rh,hwc,sw->rsc", rows, image, columns)


def rest_by_hand(image: np.ndarray, name: str, args: dict[str, Any], draws: np.ndarray) -> np.ndarray:
    if name == "random_flip":
        axis, p = (0, 0.4) if "mode" in args else (1, 0.5)
        return np.flip(image, axis) if draws[0] < p else image
    width = args["pixels"]
    padded = np.pad(image, ((width, width), (width, width), (0, 0)), constant_values=args.get("value", 0))
    if name == "pad":
        return padded
    top, left = (int(draw * (2 * width + 1)) for draw in draws)
    return padded[top : top + image.shape[0], left : left + image.shape[1]]


ORDERS = given(
    framings=st.lists(st.sampled_from(FRAMINGS), max_size=3),
    rest=st.lists(st.sampled_from(REST), max_size=2),
    seed=st.integers(0, 2**40),
    batch_size=st.integers(1, 11),
)


@ORDERS
@settings(max_examples=2)
def test_in_any_order_a_window_is_what_its_frame_shows_of_the_whole_image(files: Images, **order: Any) -> None:
    check_windows(files, **order)


@pytest.mark.slow
@ORDERS
@settings(max_examples=16)
def test_in_many_orders_a_window_is_what_its_frame_shows_of_the_whole_image(files: Images, **order: Any) -> None:
    check_windows(files, **order)


def check_windows(files: Images, framings: list[Any], rest: list[Any], seed: int, batch_size: int) -> None:
    leading = [TRANSFORMS[name].make(args).for_input(INPUT) for name, args in (*framings, ("random_crop", {}))]
    later = [TRANSFORMS[name].make(args).for_input(INPUT) for name, args in rest]
    cut = TRANSFORMS["center_crop"].make({})  # what `pad` has made greater
    augment = [*leading, *later, cut]
    count, epoch = len(files), 1
    _, draws = epoch_plan(tf, count, sum(each.draws for each in augment), seed, epoch)
    dataset = training_batches(
        files,
        input_shape=INPUT,
        batch_size=batch_size,
        augment=augment,
        seed=seed,
        epochs=epoch + 1,
        start_step=epoch * -(-count // batch_size),
    )
    found = {int(label): image for x, y in dataset for image, label in zip(x.numpy(), y.numpy(), strict=True)}
    assert sorted(found) == list(range(count))
    for i, path in enumerate(files.files or ()):
        expected = seen_by_hand(path, leading, draws[i].numpy())
        first = sum(each.draws for each in leading)
        for (name, args), transform in zip(rest, later, strict=True):
            expected = rest_by_hand(expected, name, args, draws[i, first : first + transform.draws].numpy())
            first += transform.draws
        top, left = ((expected.shape[axis] - INPUT[axis]) // 2 for axis in range(2))
        expected = expected[top : top + INPUT[0], left : left + INPUT[1]]
        np.testing.assert_allclose(found[i], expected, atol=1.0 if Path(path).suffix == ".jpg" else 0.05, err_msg=path)
