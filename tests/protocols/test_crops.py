"""Where crops lie: the papers' figures worked out by hand, and the laws of any grid."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from archspec.protocols.crops import centre, corners_and_centre, regular_grid

SIDES = st.integers(1, 400)


def test_the_grid_of_vgg_on_a_square_of_256() -> None:
    """(256 - 224) / 4 = 8 pixels between crops."""
    steps = [0, 8, 16, 24, 32]
    assert regular_grid((256, 256), (224, 224), 5) == [(row, column) for row in steps for column in steps]


def test_a_grid_whose_steps_are_no_whole_pixels_is_rounded_a_half_upwards() -> None:
    """(341 - 224) / 4 = 29.25: 0, 29.25, 58.5, 87.75, 117; (9 - 6) / 2 = 1.5."""
    assert [column for row, column in regular_grid((256, 341), (224, 224), 5)[:5]] == [0, 29, 59, 88, 117]
    assert regular_grid((9, 6), (6, 6), 3) == [(row, 0) for row in (0, 2, 3) for _ in range(3)]


def test_the_five_crops_of_alexnet_in_the_central_square() -> None:
    """Of 256 x 341: the square begins at column (341 - 256) // 2 = 42, and ends 256 - 224 = 32 pixels further."""
    assert corners_and_centre((256, 341), (224, 224), square=True) == [(0, 42), (0, 74), (32, 42), (32, 74), (16, 58)]
    assert corners_and_centre((341, 256), (224, 224), square=True) == [(42, 0), (42, 32), (74, 0), (74, 32), (58, 16)]


def test_the_five_crops_in_the_corners_of_the_whole_image() -> None:
    assert corners_and_centre((256, 341), (224, 224), square=False) == [(0, 0), (0, 117), (32, 0), (32, 117), (16, 58)]


def test_an_odd_remainder_is_below_and_to_the_right() -> None:
    assert centre((10, 13), (5, 6)) == (2, 3)


def test_an_image_as_large_as_the_crop_has_one_place() -> None:
    assert set(regular_grid((28, 28), (28, 28), 5)) == {(0, 0)}
    assert set(corners_and_centre((28, 28), (28, 28), square=True)) == {(0, 0)}


@given(crop=st.tuples(SIDES, SIDES), more=st.tuples(SIDES, SIDES), count=st.integers(1, 9), square=st.booleans())
def test_every_crop_lies_inside_and_mirrored_crops_are_crops_of_the_grid(
    crop: tuple[int, int], more: tuple[int, int], count: int, square: bool
) -> None:
    sides = (crop[0] + more[0] - 1, crop[1] + more[1] - 1)
    grid = regular_grid(sides, crop, count)
    five = corners_and_centre(sides, crop, square=square)
    assert len(grid) == count**2
    for top, left in grid + five:
        assert 0 <= top <= sides[0] - crop[0]
        assert 0 <= left <= sides[1] - crop[1]
    if count > 1:
        assert {grid[0], grid[-1]} == {(0, 0), (sides[0] - crop[0], sides[1] - crop[1])}
    rows = sorted({top for top, _ in grid})
    steps = {after - before for before, after in itertools.pairwise(rows)}
    assert not steps or max(steps) - min(steps) <= 1 or len(rows) < count  # evenly, to a pixel
