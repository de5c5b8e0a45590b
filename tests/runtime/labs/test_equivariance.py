"""Curves of equivariance: the measures on functions whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.runtime.labs.experiments.equivariance import change, equivariance_error, holds, on_canvas


def test_a_moved_map_has_no_error_and_another_one_has() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 12, 12, 3)).astype(np.float32)
    assert equivariance_error(maps, np.roll(maps, 2, axis=2), columns=2, border=2) == (0.0, 0)
    error, bits = equivariance_error(maps, np.roll(maps, 1, axis=2), columns=2, border=2)
    assert error > 0.5
    assert bits == 2 * 8 * 6 * 3  # all values between the borders


def test_one_bit_is_counted() -> None:
    maps = np.ones((1, 6, 6, 1), np.float32)
    other = maps.copy()
    other[0, 3, 3, 0] = np.nextafter(np.float32(1), np.float32(2))
    assert equivariance_error(maps, other, columns=0, border=1)[1] == 1


def test_the_change_is_relative_to_the_norm() -> None:
    before = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)
    assert change(before, before + np.array([[0.0, 5.0], [0.0, 1.0]], np.float32)) == pytest.approx((1 + 0.5) / 2)


def test_a_digit_moves_by_whole_pixels() -> None:
    digit = np.full((1, 8, 8, 1), 255, np.uint8)
    still, moved = on_canvas(digit, 48, 0), on_canvas(digit, 48, 3)
    assert np.array_equal(moved, np.roll(still, 3, axis=2))
    assert still.sum() == pytest.approx(24 * 24 * 255 / 256)


def test_a_convolution_that_differs_in_a_bit_fails_the_criterion() -> None:
    curves = {
        "bits/1": np.zeros((1, 3)),
        "bits/2": np.array([[0, 9, 0]]),
        "bits/mlp": np.array([[0, 9, 9]]),
        "change/1": np.array([[0, 2, 2]]),
        "change/2": np.array([[0, 1, 1]]),
        "change/global": np.zeros((1, 3)),
        "change/mlp": np.array([[0, 2, 2]]),
    }
    assert holds(curves, [1, 2], [2])
    assert not holds(curves | {"bits/1": np.array([[0, 0, 1]])}, [1, 2], [2])
    assert not holds(curves | {"bits/2": np.zeros((1, 3))}, [1, 2], [2])
    assert not holds(curves | {"change/2": curves["change/1"]}, [1, 2], [2])


def test_the_lab_reproduces_the_claim(tmp_path: Path) -> None:
    result = archspec.lab("equivariance", out=tmp_path, scale="tiny")
    assert result.verdict == "reproduced"
    rows = {str(row[0]): list(map(float, row[1:])) for row in result.rows if str(row[0]).startswith("moved map")}
    assert not any(rows["moved map, convolution"])
    assert rows["moved map, stride 2"][1] == 0
