"""The laws of training's batches: permutations, resuming, one draw for each image; in memory and from files alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline import batches as pipeline
from archspec.runtime.data.pipeline.batches import evaluation_batches, steps_per_epoch, training_batches
from archspec.runtime.data.pipeline.epoch_plan import epoch_plan
from archspec.runtime.training.replica_batches import replica_batches
from tests.runtime.data.image_sets import AUGMENT, INPUT, SCALE, assert_same, batches, in_files, in_memory, t


@given(st.integers(1, 300), st.integers(0, 2**64), st.integers(0, 1000))
@settings(max_examples=50)
def test_every_epoch_is_a_permutation_with_draws_in_0_to_1(count: int, seed: int, epoch: int) -> None:
    order, draws = epoch_plan(tf, count, 2, seed, epoch)
    assert sorted(order.numpy().tolist()) == list(range(count))
    assert draws.shape == (count, 2)
    assert 0 <= float(tf.reduce_min(draws)) <= float(tf.reduce_max(draws)) < 1


def test_every_image_comes_at_every_place_equally_often() -> None:
    # chi squared over 5 places in 2,000 epochs, mean 4, stays under 23.5 in all but 1 of 10,000 samples; seeding
    # index_shuffle with the number of the epoch gives 8 to 18 times the mean
    epochs = tf.data.Dataset.range(2000).map(lambda epoch: epoch_plan(tf, 5, 0, 7, epoch)[0])
    orders = np.stack(list(epochs.as_numpy_iterator()))
    for image in range(5):
        counts = (orders == image).sum(axis=0)
        assert ((counts - 400.0) ** 2 / 400).sum() < 23.5


def test_seeds_epochs_and_images_draw_differently() -> None:
    draws = np.stack([epoch_plan(tf, 50, 3, seed, epoch)[1].numpy() for seed in (0, 1, 2**40) for epoch in (0, 1, 2)])
    assert len(np.unique(draws)) > 0.999 * draws.size
    assert abs(draws.mean() - 0.5) < 0.02


def test_steps_count_the_smaller_last_batch() -> None:
    assert [steps_per_epoch(count, 4) for count in (1, 4, 5, 8, 9)] == [1, 1, 2, 2, 3]


@given(
    count=st.integers(5, 13),
    batch_size=st.integers(1, 6),
    seed=st.integers(0, 2**40),
    done=st.floats(0, 1),
    threads=st.integers(1, 5),
)
@settings(max_examples=6)
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


@pytest.mark.slow
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
