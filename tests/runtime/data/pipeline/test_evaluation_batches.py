"""One path to the input: evaluation, prediction and training's end; series, free sizes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archspec.runtime.data.files.decode import decode
from archspec.runtime.data.files.encoded_image import image_sides
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import evaluation_batches, training_batches
from archspec.runtime.data.pipeline.preprocess import preprocess_image
from archspec.transforms import Transform
from tests.refusal import refused
from tests.runtime.data.image_sets import INPUT, RNG, SCALE, assert_same, batches, in_files, in_memory, t


@given(
    height=st.integers(5, 13),
    width=st.integers(5, 13),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
)
@settings(max_examples=25)
def test_the_centre_crop_is_numpys(height: int, width: int, rows: int, columns: int) -> None:
    """With `resize` equal to the smallest side nothing is resampled, and the crop is exact."""
    image = RNG.integers(0, 256, (height, width, 2), dtype=np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    here = preprocess_image(tf, tf.constant(image), (rows, columns, 2), (), min(height, width))
    np.testing.assert_array_equal(here, image[top : top + rows, left : left + columns])


@pytest.mark.parametrize(
    ("shape", "resize", "scaled"),
    [
        ((20, 31), 10, (10, 16)),  # 15.5 is rounded upwards
        ((31, 20), 10, (16, 10)),
        ((20, 31), None, (7, 11)),  # covers (7, 5): the height decides; 10.85 wide
        ((31, 20), None, (8, 5)),  # the width decides; 7.75 high
        ((4, 3), None, (7, 5)),  # enlarged: 7 x 5.25
        ((20, 31), 3, (7, 11)),  # never smaller than the input
        ((9, 200), 9, (9, 200)),
    ],
)
def test_the_view_is_tensorflows_resize_then_the_crop(
    shape: tuple[int, int], resize: int | None, scaled: tuple[int, int]
) -> None:
    image = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    whole = tf.image.resize(image, scaled, "bilinear", antialias=True).numpy()
    top, left = (scaled[0] - 7) // 2, (scaled[1] - 5) // 2
    expected = whole[top : top + 7, left : left + 5]
    here = preprocess_image(tf, tf.constant(image), INPUT, (), resize)
    assert here.dtype == tf.float32
    np.testing.assert_allclose(here, expected, atol=0.01)


def test_evaluation_prediction_and_files_share_one_path(tmp_path: Path) -> None:
    images, arrays = in_files(tmp_path, [(9 + i, 14 - i, 3) for i in range(7)])
    got = batches(evaluation_batches(images, input_shape=INPUT, batch_size=3, preprocess=SCALE, resize=8))
    assert [y.tolist() for _, y in got] == [[0, 1, 2], [3, 4, 5], [6]]
    one_by_one = [preprocess_image(tf, tf.constant(array), INPUT, SCALE, 8) for array in arrays]
    np.testing.assert_allclose(np.concatenate([x for x, _ in got]), one_by_one, atol=1e-6)
    graph = tf.function(
        lambda image: preprocess_image(tf, image, INPUT, SCALE, 8),
        input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)],
        autograph=False,
    )
    assert graph.get_concrete_function().output_shapes.as_list() == list(INPUT)
    np.testing.assert_allclose([graph(array) for array in arrays], one_by_one, atol=1e-6)


def test_windows_of_jpegs_are_evaluations_view_of_the_whole_image(tmp_path: Path) -> None:
    """Centre crops, of which no more than their window is decoded; parts of a file serve as files do."""
    rows, columns = np.mgrid[:90, :70]
    files = []
    for i in range(4):
        picture = np.stack([128 + 100 * np.sin(rows / (5 + i)), columns * 3, rows + columns], -1).astype(np.uint8)
        files.append(tmp_path / f"{i}.jpg")
        Image.fromarray(picture[: 90 - 9 * i]).save(files[-1], quality=95)
    labels = np.arange(4, dtype=np.int32)
    images = Images(tuple("abcd"), labels, files=tuple(map(str, files)))
    for shape, resize in (((40, 30, 3), None), ((40, 30, 3), 50), ((70, 60, 3), 100)):
        ((x, y),) = batches(
            evaluation_batches(images, input_shape=shape, batch_size=4, preprocess=SCALE, resize=resize)
        )
        np.testing.assert_array_equal(y, labels)
        for file, seen in zip(files, x, strict=True):
            whole = decode(tf, tf.io.read_file(str(file)), 3)
            np.testing.assert_allclose(255 * seen, 255 * preprocess_image(tf, whole, shape, SCALE, resize), atol=0.05)
    contents = [file.read_bytes() for file in files]
    shard = tmp_path / "shard"
    shard.write_bytes(b"header" + b"".join(contents))
    offsets = np.cumsum([6, *map(len, contents)])
    spans = np.stack([offsets[:-1], np.diff(offsets)], 1)
    sides, in_part = image_sides(images)
    parts = Images(images.class_names, labels, files=(str(shard),) * 4, spans=spans, sides=sides, in_part=in_part)
    seen = {"input_shape": (40, 30, 3), "batch_size": 3, "augment": (t("random_crop"), t("random_flip")), "epochs": 2}
    assert_same(batches(training_batches(parts, **seen)), batches(training_batches(images, **seen)))
    rows = np.array([3, 1])
    ((x, y),) = batches(evaluation_batches(parts.only(rows), input_shape=(40, 30, 3), batch_size=2))
    np.testing.assert_array_equal(y, rows)


def test_grey_files_reach_a_network_of_rgb_and_the_other_way_round(tmp_path: Path) -> None:
    images, arrays = in_files(tmp_path, [(7, 5)] * 2)
    ((x, _),) = batches(evaluation_batches(images, input_shape=INPUT, batch_size=2))
    np.testing.assert_array_equal(x, np.repeat(np.stack(arrays)[..., None], 3, axis=-1))
    ((x, _),) = batches(evaluation_batches(images, input_shape=(7, 5, 1), batch_size=2))
    np.testing.assert_array_equal(x, np.stack(arrays)[..., None])


def test_series_and_volumes_pass_with_transforms_of_values() -> None:
    for shape in ((13, 2), (3, 5, 4, 2)):
        x = RNG.normal(size=(5, *shape)).astype(np.float32)
        images = Images(("a", "b"), np.array([0, 1, 0, 1, 1], np.int32), x)
        normalize = (t("normalize", mean=[1, 2], std=[3, 4]),)
        ((got, y),) = batches(evaluation_batches(images, input_shape=shape, batch_size=9, preprocess=normalize))
        np.testing.assert_allclose(got, (x - [1, 2]) / [3, 4], atol=1e-6)
        ((got, y),) = batches(
            training_batches(images, input_shape=shape, batch_size=9, preprocess=normalize, seed=2, epochs=1)
        )
        np.testing.assert_array_equal(np.bincount(y), [2, 3])
        assert got.shape == x.shape
        wrong = refused(
            lambda images=images, shape=shape: training_batches(
                images, input_shape=shape, batch_size=9, augment=(t("random_flip"),), epochs=1
            )
        )
        assert (wrong.code, wrong.message.startswith("`random_flip` needs images")) == ("transform", True)


def test_a_free_input_takes_images_as_they_are() -> None:
    images = in_memory(3, (9, 8, 3))
    ((x, _),) = batches(evaluation_batches(images, input_shape=(None, None, 3), batch_size=3))
    np.testing.assert_array_equal(x, images.pixels)
    ((x, _),) = batches(evaluation_batches(images, input_shape=(None, None, 3), batch_size=3, resize=4))
    assert x.shape == (3, 5, 4, 3)


def test_data_that_does_not_fit_the_network_is_refused(tmp_path: Path) -> None:
    files, _ = in_files(tmp_path, [(9, 8, 3), (5, 4, 3)])
    series = Images(("a", "b"), np.array([0, 1], np.int32), np.zeros((2, 13, 2), np.float32))
    for images, shape in (
        (in_memory(2), (7, 5, 1)),
        (in_memory(2), (13, 2)),
        (series, INPUT),
        (series, (12, 2)),
        (files, (13, 3)),
        (files, (7, 5, 4)),
        (files, (None, None, 3)),
    ):
        wrong = refused(lambda images=images, shape=shape: evaluation_batches(images, input_shape=shape, batch_size=2))
        assert wrong.code == "data-shape"


@pytest.mark.parametrize(
    ("preprocess", "fact"),
    [
        (t("random_flip"), "`random_flip` is random"),
        (t("subtract_mean", mean=[1, 2]), "`mean` has 2 values for the 3 channels"),
        (t("pad", pixels=1), "`preprocess` changes the shape (7, 5, 3) to (9, 7, 3)"),
    ],
)
def test_a_preprocess_that_cannot_be_is_refused(preprocess: Transform, fact: str) -> None:
    wrong = refused(lambda: evaluation_batches(in_memory(2), input_shape=INPUT, batch_size=2, preprocess=[preprocess]))
    assert wrong.code == "transform"
    assert wrong.message.startswith(fact)
