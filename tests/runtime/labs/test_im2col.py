"""The matrix forms of a convolution against loops over its definition, and the example of the lecture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.runtime.labs.experiments.im2col import (
    KernelGrid,
    col2im,
    dense_kernel,
    example,
    im2col,
    shared_gradient,
    weight_index,
)


def convolution(image: np.ndarray, kernel: np.ndarray, window: KernelGrid) -> np.ndarray:
    """By the definition, one sum at a time."""
    height, width, channels = image.shape
    maps = np.zeros((window.positions(height), window.positions(width), kernel.shape[-1]))
    for row, column, number in np.ndindex(maps.shape):
        for down, across, channel in np.ndindex(window.size, window.size, channels):
            y = row * window.stride + down * window.dilation - window.padding
            x = column * window.stride + across * window.dilation - window.padding
            if 0 <= y < height and 0 <= x < width:
                maps[row, column, number] += image[y, x, channel] * kernel[down, across, channel, number]
    return maps


WINDOWS = [
    KernelGrid(2),
    KernelGrid(3, padding=1),
    KernelGrid(3, stride=2),
    KernelGrid(2, 2, 3, 1),
    KernelGrid(1, 3, 1, 0),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_both_forms_equal_the_definition(window: KernelGrid) -> None:
    random = np.random.default_rng(0)
    image, kernel = random.normal(size=(6, 5, 2)), random.normal(size=(window.size, window.size, 2, 3))
    expected = convolution(image, kernel, window)
    assert im2col(image, window) @ kernel.reshape(-1, 3) == pytest.approx(expected.reshape(-1, 3))
    index = weight_index((6, 5, 2), 3, window)
    assert image.reshape(-1) @ dense_kernel(kernel, index) == pytest.approx(expected.reshape(-1))


@given(st.sampled_from(WINDOWS), st.integers(0, 2**31))
@settings(max_examples=20)
def test_col2im_is_the_transpose_of_im2col(window: KernelGrid, seed: int) -> None:
    """<im2col x, c> = <x, col2im c> for all x and c, which defines the transpose."""
    random = np.random.default_rng(seed)
    image = random.normal(size=(6, 7, 2))
    patches = im2col(image, window)
    columns = random.normal(size=patches.shape)
    assert np.sum(patches * columns) == pytest.approx(np.sum(image * col2im(columns, image.shape, window)))


def test_the_gradient_of_shared_weights_adds_their_connections() -> None:
    """Central differences of a weighted sum of the outputs."""
    random = np.random.default_rng(1)
    window, image, kernel = KernelGrid(2), random.normal(size=(3, 4, 1)), random.normal(size=(2, 2, 1, 2))
    index = weight_index(image.shape, 2, window)
    upstream = random.normal(size=index.shape[1])
    found = shared_gradient(np.outer(image, upstream), index, kernel.shape)
    for place in np.ndindex(kernel.shape):
        step = np.zeros_like(kernel)
        step[place] = 0.5
        outputs = [image.reshape(-1) @ dense_kernel(kernel + sign * step, index) for sign in (1, -1)]
        assert found[place] == pytest.approx((outputs[0] - outputs[1]) @ upstream)


def test_the_example_has_the_counts_of_the_lecture() -> None:
    """4 x 4 x 3 with 2 x 2 kernels: 3 x 3 positions of 12 values; each of 18 outputs has 12 of 48 inputs."""
    shown = example()
    assert shown["patches"].shape == (9, 12)
    assert shown["maps"].shape == (9, 2)
    assert shown["index"].shape == (48, 18)
    assert np.all((shown["index"] >= 0).sum(axis=0) == 12)
    assert len(np.unique(shown["index"])) - 1 == 24


def test_the_lab_agrees_with_tensorflow(tmp_path: Path) -> None:
    result = archspec.lab("im2col", out=tmp_path, scale="tiny")
    assert result.verdict == "reproduced"
    assert max(float(row[1]) for row in result.rows) < 1e-13
    assert (tmp_path / "im2col.png").stat().st_size > 10_000
