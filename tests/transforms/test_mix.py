"""mixup and cutmix: the Beta distribution by closed forms, mixed images by hand, labels by the pixels that are left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.diagnostics import ArchspecError
from archspec.runtime.data.images import Images
from archspec.runtime.data.pipeline.batches import evaluation_batches, training_batches
from archspec.runtime.models.metrics import cross_entropy, ranks
from archspec.transforms import TRANSFORMS
from archspec.transforms.mix import Mixing, beta_quantile

RNG = np.random.default_rng(5)


def made(name: str, **args: Any) -> Any:
    return TRANSFORMS[name].make(args)


@given(st.floats(0.01, 0.99))
@settings(max_examples=20)
def test_quantiles_of_beta_are_those_that_have_a_formula(u: float) -> None:
    assert float(beta_quantile(tf, 1.0, u)) == pytest.approx(u, abs=1e-6)
    assert float(beta_quantile(tf, 0.5, u)) == pytest.approx(np.sin(np.pi * u / 2) ** 2, abs=1e-6)  # the arcsine law
    x = float(beta_quantile(tf, 2.0, u))
    assert 3 * x**2 - 2 * x**3 == pytest.approx(u, abs=1e-6)


def test_mixup_by_hand() -> None:
    images = tf.constant([[0.0, 8.0], [100.0, 0.0], [40.0, 4.0]])
    for draw in (0.75, 0.25):  # an image keeps the greater share: the other one is its partner's
        x, y = made("mixup", alpha=1).mix(tf, images, tf.eye(3), tf.constant([draw, 0.0]))
        np.testing.assert_allclose(x, [[10, 7], [100, 0], [30, 5]], atol=1e-4)
        np.testing.assert_allclose(y, [[0.75, 0, 0.25], [0, 1, 0], [0.25, 0, 0.75]], atol=1e-6)
    x, y = made("mixup", alpha=1, p=0.5).mix(tf, images, tf.eye(3), tf.constant([0.75, 0.5]))
    np.testing.assert_array_equal(x, images)
    np.testing.assert_array_equal(y, np.eye(3))


def test_cutmix_by_hand() -> None:
    """0.75 is kept: the rectangle has half of each side, 4 x 2 of 8 x 4, around the middle of (6, 1)."""
    images = tf.constant(np.arange(2, dtype=np.float32)[:, None, None, None] * np.ones((2, 8, 4, 1), np.float32))
    x, y = made("cutmix").mix(tf, images, tf.eye(2), tf.constant([0.75, 0.0, 0.75, 0.25]))
    expected = np.zeros((8, 4))
    expected[4:8, 0:2] = 1
    np.testing.assert_array_equal(x[0, ..., 0], expected)
    np.testing.assert_array_equal(x[1, ..., 0], 1 - expected)
    np.testing.assert_allclose(y, [[0.75, 0.25], [0.25, 0.75]], atol=1e-6)


@given(st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=4, max_size=4), st.integers(1, 5))
@settings(max_examples=30)
def test_labels_have_the_share_of_the_pixels(draws: list[float], count: int) -> None:
    """Image i has the value i everywhere: what is left of it is its label's share, on any draw."""
    images = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((count, 7, 5, 2), np.float32)
    for name in ("mixup", "cutmix"):
        x, y = made(name).mix(tf, tf.constant(images), tf.eye(count), tf.constant(draws, tf.float32))
        np.testing.assert_allclose(np.sum(y, -1), 1, atol=1e-5)
        np.testing.assert_allclose(np.mean(x, (1, 2, 3)), y.numpy() @ np.arange(count, dtype=np.float32), atol=1e-4)


def test_the_loss_of_mixed_labels_is_the_mean_of_their_losses_and_top1_goes_by_the_greater() -> None:
    logits = tf.constant(RNG.normal(size=(4, 5)), tf.float32)
    first, second = tf.constant([0, 1, 2, 3]), tf.constant([4, 1, 0, 2])
    y = 0.7 * tf.one_hot(first, 5) + 0.3 * tf.one_hot(second, 5)
    for smoothing in (0.0, 0.1):
        expected = 0.7 * cross_entropy(tf, logits, first, smoothing) + 0.3 * cross_entropy(
            tf, logits, second, smoothing
        )
        np.testing.assert_allclose(cross_entropy(tf, logits, y, smoothing), expected, rtol=1e-5)
    np.testing.assert_array_equal(ranks(tf, logits, y), ranks(tf, logits, first))


def images(count: int = 9) -> Images:
    x = RNG.integers(0, 256, (count, 6, 5, 3), dtype=np.uint8)
    return Images(tuple("abc"), (np.arange(count) % 3).astype(np.int32), x)


def test_a_resumed_run_mixes_as_the_uninterrupted_one_would_have() -> None:
    data = images()
    augment = (made("random_flip"), made("cutmix"), made("mixup", alpha=1))
    seen: dict[str, Any] = {"input_shape": (6, 5, 3), "batch_size": 2, "augment": augment, "seed": 3, "epochs": 6}
    whole = list(training_batches(data, **seen))
    assert len(whole) == 30
    for start in (1, 5, 13):
        resumed = list(training_batches(data, start_step=start, **seen))
        for (x, y), (other_x, other_y) in zip(whole[start:], resumed, strict=True):
            np.testing.assert_array_equal(x, other_x)
            np.testing.assert_array_equal(y, other_y)
    assert all((y.dtype, y.shape[1:]) == (tf.float32, (3,)) for _, y in whole)
    shares = np.concatenate([y for _, y in whole])
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    assert len(np.unique(shares.round(6))) > 20, "each batch has its own share"
    whole_pixels = [bool(np.all(x == np.round(x))) for x, _ in whole]
    assert 5 < sum(whole_pixels) < 25, "one or the other: cutmix leaves grey levels whole"
    plain = next(iter(training_batches(data, **{**seen, "augment": augment[:1]})))
    assert plain[1].dtype == tf.int32


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_comes_last_and_is_no_preprocessing(name: str) -> None:
    assert issubclass(TRANSFORMS[name], Mixing)
    with pytest.raises(ArchspecError, match=f"`random_flip` comes after `{name}`"):
        training_batches(
            images(), input_shape=(6, 5, 3), batch_size=2, augment=(made(name), made("random_flip")), epochs=1
        )
    with pytest.raises(ArchspecError, match=f"`{name}` is random"):
        evaluation_batches(images(), input_shape=(6, 5, 3), batch_size=2, preprocess=(made(name),))
