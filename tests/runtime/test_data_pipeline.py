"""The laws of the pipeline: permutations, resuming, one path to the input; in memory and from files alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from archspec.runtime.data import pipeline
from archspec.runtime.data.decode import decode
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline import evaluation_batches, preprocess_image, steps_per_epoch, training_batches
from archspec.runtime.data.plan import plan
from archspec.runtime.loop import replica_batches
from archspec.transforms import TRANSFORMS, Transform
from tests.refusal import refused

INPUT = (7, 5, 3)
RNG = np.random.default_rng(8)


def t(name: str, **args: Any) -> Transform:
    return TRANSFORMS[name].make(args)


AUGMENT = (t("pad", pixels=2), t("random_crop"), t("random_flip"))
SCALE = (t("scale"),)


def in_memory(count: int = 11, shape: tuple[int, ...] = INPUT) -> Images:
    """Images whose label is their number, so that a batch tells its rows."""
    x = RNG.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(tuple(f"c{i}" for i in range(count)), np.arange(count, dtype=np.int32), x)


def in_files(root: Path, shapes: list[tuple[int, ...]]) -> tuple[Images, list[np.ndarray]]:
    arrays = [RNG.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    files = [str(root / f"{i}.png") for i in range(len(shapes))]
    for file, array in zip(files, arrays, strict=True):
        Image.fromarray(array).save(file)
    labels = np.arange(len(shapes), dtype=np.int32)
    return Images(tuple(f"c{i}" for i in labels), labels, files=tuple(files)), arrays


def batches(dataset: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(x.numpy(), y.numpy()) for x, y in dataset]


def assert_same(left: list[tuple[np.ndarray, np.ndarray]], right: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert len(left) == len(right)
    for (x, y), (other_x, other_y) in zip(left, right, strict=True):
        np.testing.assert_array_equal(y, other_y)
        np.testing.assert_array_equal(x, other_x)


# ----------------------------------------------------------------------------------------------- the plan


@given(st.integers(1, 300), st.integers(0, 2**64), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_every_epoch_is_a_permutation_with_draws_in_0_to_1(count: int, seed: int, epoch: int) -> None:
    order, draws = plan(tf, count, 2, seed, epoch)
    assert sorted(order.numpy().tolist()) == list(range(count))
    assert draws.shape == (count, 2)
    assert 0 <= float(tf.reduce_min(draws)) <= float(tf.reduce_max(draws)) < 1


def test_every_image_comes_at_every_place_equally_often() -> None:
    # chi squared over 5 places in 2,000 epochs, mean 4, stays under 23.5 in all but 1 of 10,000 samples; seeding
    # index_shuffle with the number of the epoch gives 8 to 18 times the mean
    epochs = tf.data.Dataset.range(2000).map(lambda epoch: plan(tf, 5, 0, 7, epoch)[0])
    orders = np.stack(list(epochs.as_numpy_iterator()))
    for image in range(5):
        counts = (orders == image).sum(axis=0)
        assert ((counts - 400.0) ** 2 / 400).sum() < 23.5


def test_seeds_epochs_and_images_draw_differently() -> None:
    draws = np.stack([plan(tf, 50, 3, seed, epoch)[1].numpy() for seed in (0, 1, 2**40) for epoch in (0, 1, 2)])
    assert len(np.unique(draws)) > 0.999 * draws.size
    assert abs(draws.mean() - 0.5) < 0.02


# ------------------------------------------------------------------------------------------------ training


def test_steps_count_the_smaller_last_batch() -> None:
    assert [steps_per_epoch(count, 4) for count in (1, 4, 5, 8, 9)] == [1, 1, 2, 2, 3]


@given(
    count=st.integers(5, 13),
    batch_size=st.integers(1, 6),
    seed=st.integers(0, 2**40),
    done=st.floats(0, 1),
    threads=st.integers(1, 5),
)
@settings(max_examples=12, deadline=None)
def test_a_resumed_run_gets_the_batches_of_the_uninterrupted_one(
    count: int, batch_size: int, seed: int, done: float, threads: int
) -> None:
    images = in_memory(count)

    def run(start_step: int, threads: int) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "batches_at_once", lambda: threads)
            return training_batches(
                images,
                input_shape=INPUT,
                batch_size=batch_size,
                augment=AUGMENT,
                preprocess=SCALE,
                resize=None,
                seed=seed,
                epochs=3,
                start_step=start_step,
            )

    whole = batches(run(0, 1))
    assert len(whole) == 3 * steps_per_epoch(count, batch_size)
    start = round(done * len(whole))
    resumed = run(start, threads)
    assert_same(batches(resumed), whole[start:])
    assert int(resumed.cardinality()) == len(whole) - start


def test_resuming_from_files_of_many_sizes_is_exact_too(tmp_path: Path) -> None:
    images, _ = in_files(tmp_path, [(9 + i, 14 - i, 3) for i in range(7)])
    augment = (t("resize_smallest_side", size=[8, 12]), t("random_crop"), t("random_flip"))

    def run(start_step: int, threads: int, seed: int = 3) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pipeline, "images_at_once", lambda: threads)
            return batches(
                training_batches(
                    images,
                    input_shape=INPUT,
                    batch_size=3,
                    augment=augment,
                    preprocess=SCALE,
                    seed=seed,
                    epochs=3,
                    start_step=start_step,
                )
            )

    whole = run(0, 1)
    assert [len(y) for _, y in whole] == [3, 3, 1] * 3
    for start in (1, 3, 5, 8, 9):
        assert_same(run(start, 4), whole[start:])
    assert any(not np.array_equal(a, b) for (_, a), (_, b) in zip(whole, run(0, 1, seed=4), strict=True))


def test_no_iterator_waits_for_autotuning(tmp_path: Path) -> None:
    """Whose thread sleeps up to a minute; `python benchmarks/iterator_end.py` measures it."""
    for images in (in_memory(), in_files(tmp_path, [INPUT] * 3)[0]):
        ways = [
            training_batches(images, input_shape=INPUT, batch_size=2, epochs=1, augment=way) for way in (AUGMENT, ())
        ]
        ways.append(evaluation_batches(images, input_shape=INPUT, batch_size=2))
        for dataset in ways:
            assert dataset.options().autotune.enabled is False
            assert replica_batches(tf.distribute.get_strategy(), dataset).options().autotune.enabled is False


def test_each_epoch_holds_every_image_once_and_augments_it_anew() -> None:
    images = in_memory(11)
    dataset = training_batches(
        images, input_shape=INPUT, batch_size=4, augment=AUGMENT, preprocess=SCALE, seed=1, epochs=3
    )
    assert dataset.element_spec[0].shape.as_list() == [None, *INPUT]
    assert [spec.dtype for spec in dataset.element_spec] == [tf.float32, tf.int32]
    got = batches(dataset)
    assert [len(y) for _, y in got] == [4, 4, 3] * 3
    epochs = [np.concatenate([y for _, y in got[3 * epoch : 3 * epoch + 3]]) for epoch in range(3)]
    assert all(sorted(epoch.tolist()) == list(range(11)) for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 3
    views: dict[int, set[bytes]] = {}
    for x, y in got:
        for image, label in zip(x, y, strict=True):
            views.setdefault(int(label), set()).add(image.tobytes())
    assert np.mean([len(seen) for seen in views.values()]) > 2.5  # of 25 places, mirrored or not


def test_the_size_of_the_batch_changes_no_image() -> None:
    images = in_memory(11)

    def by_label(batch_size: int) -> dict[int, bytes]:
        dataset = training_batches(images, input_shape=INPUT, batch_size=batch_size, augment=AUGMENT, seed=1, epochs=1)
        return {int(label): image.tobytes() for x, y in batches(dataset) for image, label in zip(x, y, strict=True)}

    assert by_label(3) == by_label(11)


def test_images_in_memory_and_in_files_are_augmented_alike(tmp_path: Path) -> None:
    images, arrays = in_files(tmp_path, [(9, 8, 3)] * 6)
    cached = Images(images.class_names, images.labels, np.stack(arrays))
    augment = (t("random_shift", pixels=2), t("pad", pixels=1, value=40), t("random_crop"), t("random_flip", p=0.4))
    got = [
        batches(training_batches(each, input_shape=INPUT, batch_size=4, augment=augment, preprocess=SCALE, epochs=2))
        for each in (images, cached)
    ]
    assert_same(*got)


def test_training_without_a_size_takes_evaluations_view() -> None:
    images = in_memory(5, (12, 9, 3))
    for augment in ((), (t("random_shift", pixels=0),), (t("pad", pixels=0),)):
        dataset = training_batches(
            images, input_shape=INPUT, batch_size=9, augment=augment, preprocess=SCALE, resize=8, epochs=1
        )
        ((x, y),) = batches(dataset)
        ((view, _),) = batches(evaluation_batches(images, input_shape=INPUT, batch_size=9, preprocess=SCALE, resize=8))
        np.testing.assert_allclose(x, view[y], atol=1e-6)


def test_a_training_crop_is_not_resized_again() -> None:
    images = in_memory(3, (12, 9, 3))
    assert images.pixels is not None
    dataset = training_batches(
        images, input_shape=INPUT, batch_size=3, augment=(t("center_crop"),), resize=30, epochs=1
    )
    ((x, y),) = batches(dataset)
    np.testing.assert_array_equal(x, images.pixels[y][:, 2:9, 2:7])


# ---------------------------------------------------------------------------------------------- evaluation


@given(
    height=st.integers(5, 13),
    width=st.integers(5, 13),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
)
@settings(max_examples=25, deadline=None)
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
    sides, in_part = images.shapes()
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


# --------------------------------------------------------------------------- series, free sizes, what is refused


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
        (t("pad", pixels=1), "`preprocess` turns (7, 5, 3) into (9, 7, 3)"),
    ],
)
def test_a_preprocess_that_cannot_be_is_refused(preprocess: Transform, fact: str) -> None:
    wrong = refused(lambda: evaluation_batches(in_memory(2), input_shape=INPUT, batch_size=2, preprocess=[preprocess]))
    assert wrong.code == "transform"
    assert wrong.message.startswith(fact)
