"""Random labels: corrupted labels, changed images and memorized bits."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.runtime.labs.experiments.random_labels import changed_images, corrupted_labels, memorized_bits


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_share_of_corrupted_labels_is_as_asked(share: float) -> None:
    """A random label is the true one by chance in one of ten cases."""
    y = np.random.default_rng(0).integers(10, size=20_000).astype(np.int32)
    found = corrupted_labels(y, share, 10, np.random.default_rng(1))
    assert np.mean(found != y) == pytest.approx(0.9 * share, abs=0.01)


def test_changed_images_keep_what_they_should() -> None:
    x = np.random.default_rng(0).integers(60, 200, (6, 4, 4, 3)).astype(np.uint8)
    fixed = np.random.default_rng(1).permutation(16)
    shuffled = changed_images("shuffled", x, fixed, np.random.default_rng(2)).reshape(6, 16, 3)
    assert np.array_equal(shuffled[:, np.argsort(fixed)], x.reshape(6, 16, 3))  # one permutation undoes all
    permuted = changed_images("permuted", x, fixed, np.random.default_rng(2)).reshape(6, 16, 3)
    orders = [
        [int(np.flatnonzero((x[row].reshape(16, 3) == pixel).all(axis=1))[0]) for pixel in permuted[row]]
        for row in range(6)
    ]
    assert all(sorted(order) == list(range(16)) for order in orders)
    assert len(set(map(tuple, orders))) == 6  # another permutation for each image
    noise = changed_images("noise", np.tile(x, (200, 1, 1, 1)), fixed, np.random.default_rng(2))
    assert noise.mean() == pytest.approx(x.mean(), abs=1)
    assert noise.std() == pytest.approx(x.std(), rel=0.03)


def test_memorized_bits_are_those_that_the_network_saves() -> None:
    """One of four labels needs 2 bits: all are saved by certainty, 1 by probability 1/2, none by chance."""
    labels = np.array([0, 1, 2])
    certain, half, chance = [1.0, 0.0, 0.0, 0.0], [0.25, 0.5, 0.25, 0.0], [0.25] * 4
    assert memorized_bits(np.array([certain, half, chance], np.float32), labels) == pytest.approx(2 + 1 + 0)
