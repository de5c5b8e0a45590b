"""The bag of features: grid, RootSIFT, pyramid and kernels against their definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archspec.runtime.labs.experiments.bag_of_features import (
    dense_sift,
    drawn_rows,
    grid,
    kernel_map,
    pyramid_histograms,
    root,
    write_descriptors,
)


@pytest.mark.parametrize(("side", "step"), [(32, 3), (32, 4), (20, 5)])
def test_the_grid_is_centered(side: int, step: int) -> None:
    columns = sorted({x for x, _ in grid(side, step)})
    assert columns[0] == pytest.approx(side - 1 - columns[-1])
    assert set(np.diff(columns)) == {step}
    assert len(grid(side, step)) == len(columns) ** 2


def test_rootsift_has_unit_length_and_the_order_of_the_grid() -> None:
    """The squares of a RootSIFT descriptor add up to 1. A gradient to the right is the first of the 8 directions."""
    pytest.importorskip("cv2")
    image = np.full((32, 32, 3), 60, np.uint8)
    image[:, 24:] = 200
    found = root(dense_sift(image, 8, [4, 6]))
    assert found.shape == (2 * len(grid(32, 8)), 128)
    assert np.square(found).sum(axis=1) == pytest.approx(1, abs=1e-5)
    directions = np.square(found).reshape(4, 4, 2, 16, 8).sum(axis=3)  # rows, columns, sizes, directions
    assert np.all(directions[:, 2:].argmax(axis=-1) == 0)  # the columns beside the edge
    assert directions[:, 2:, :, 0].min() > 0.5


def test_the_pyramid_counts_each_word_in_its_cell() -> None:
    places = grid(8, 4)  # 2 x 2 places, one in each quarter
    assert len(places) == 4
    words = np.array([[0, 1, 1, 2]])
    found = 8 * pyramid_histograms(words, 8, 4, sizes=1, count=3, cells=[1, 2]).toarray()[0]
    assert found[:3].tolist() == [1, 2, 1]
    assert found[3:].reshape(4, 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_the_maps_have_the_kernels_as_scalar_products() -> None:
    """Hellinger: sum sqrt(a b), exactly. Chi-square: sum 2 a b / (a + b), to 6 % (Vedaldi & Zisserman)."""
    pytest.importorskip("sklearn")
    from scipy.sparse import csr_array

    a, b = np.random.default_rng(0).dirichlet(np.ones(20), size=2).astype(np.float32)
    both = kernel_map(csr_array(np.stack([a, b])), "hellinger").toarray()
    assert both[0] @ both[1] == pytest.approx(np.sqrt(a * b).sum(), rel=1e-5)
    both = kernel_map(csr_array(np.stack([a, b])), "chi-square").toarray()
    assert both[0] @ both[1] == pytest.approx((2 * a * b / (a + b)).sum(), rel=0.06)


def test_the_file_has_the_descriptors_of_each_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    monkeypatch.setattr("archspec.runtime.labs.experiments.bag_of_features.IN_PART", 2)
    images = np.random.default_rng(0).integers(0, 255, (5, 20, 20, 3)).astype(np.uint8)
    write_descriptors(tmp_path / "found.npy", images, 5, [2, 3])
    found = np.load(tmp_path / "found.npy", mmap_mode="r")
    assert np.array_equal(found, [dense_sift(image, 5, [2, 3]) for image in images])


def test_more_images_include_those_of_fewer_and_all_classes() -> None:
    y = np.repeat([0, 1, 2], [30, 20, 10])
    few, many = drawn_rows(y, 12, 0), drawn_rows(y, 40, 0)
    assert set(few) <= set(many)
    assert np.bincount(y[few]).tolist() == [4, 4, 4]
    assert np.bincount(y[many]).tolist() == [15, 15, 10]
    assert not np.array_equal(few, drawn_rows(y, 12, 1))
