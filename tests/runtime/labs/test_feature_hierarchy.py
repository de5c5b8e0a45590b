"""Purity of channels: by hand, and of random ones against the exact expectation for two classes."""

from __future__ import annotations

import numpy as np
import pytest

from archspec.runtime.labs.experiments.feature_hierarchy import chance_purity, changes, purity, square_of


def test_purity_is_the_share_of_the_most_frequent_class() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2], np.int32)
    strongest = np.array([[9, 1, 0], [8, 5, 0], [7, 9, 0], [1, 8, 0], [2, 7, 0], [3, 6, 0]], np.float32)
    found = purity(strongest, labels, 3)
    assert found[:2] == pytest.approx([2 / 3, 2 / 3])  # classes 0, 0, 1 and 1, 1, 2
    assert np.isnan(found[2])  # a channel that is never active


def test_chance_agrees_with_the_hypergeometric_distribution() -> None:
    """Three of 20 images, half of them of each class: 3 or 0 of a class with probability 2 C(10, 3) / C(20, 3)."""
    labels = np.repeat([0, 1], 10).astype(np.int32)
    all_alike = 2 * 120 / 1140
    assert chance_purity(labels, 3) == pytest.approx(all_alike + (1 - all_alike) * 2 / 3, abs=0.02)


def test_the_changes_begin_with_the_unchanged_image() -> None:
    for _, values, settings in changes(5, 32).values():
        (value,) = settings[0].values()
        assert value in (0, 1)
        assert len(values) == len(settings) == 5


def test_tiles_keep_their_order_and_projections_their_sign() -> None:
    tiles = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    whole = square_of(tiles)
    assert whole[0, 0, 0] == 0
    assert whole[0, 3, 0] == 1
    assert whole[3, 0, 0] == 3
    signed = square_of(np.array([-1.0, 1.0, 0.0])[:, None, None, None] * np.ones((1, 2, 2, 3)))
    assert (signed[0, 0, 0], signed[0, 3, 0], signed[0, 6, 0]) == (0, 255, 127)
