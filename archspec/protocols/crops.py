"""The positions of a protocol's crops in the rescaled image: arithmetic on pixels."""

from __future__ import annotations

Pair = tuple[int, int]
"""(rows, columns), pixels."""


def centre(sides: Pair, crop: Pair) -> Pair:
    """The corner of the central crop; an odd remainder leaves the extra pixel below and to the right."""
    return (sides[0] - crop[0]) // 2, (sides[1] - crop[1]) // 2


def central_crop(sides: Pair, crop: Pair) -> list[Pair]:
    """The corner of the central crop, as the only one."""
    return [centre(sides, crop)]


def corners_and_centre(sides: Pair, crop: Pair, *, square: bool) -> list[Pair]:
    """Top left, top right, bottom left, bottom right, centre (Krizhevsky et al. 2012, section 4.1).

    square: the corners are those of the central square (section 2), or of as much of it as covers the crop.
    """
    smallest = min(sides)
    within = (max(smallest, crop[0]), max(smallest, crop[1])) if square else sides
    top, left = centre(sides, within)
    bottom, right = top + within[0] - crop[0], left + within[1] - crop[1]
    return [(top, left), (top, right), (bottom, left), (bottom, right), centre(sides, crop)]


def regular_grid(sides: Pair, crop: Pair, count: int) -> list[Pair]:
    """`count` x `count` corners, row by row, the outer ones at the border (Simonyan & Zisserman 2014, section 3.2).

    Corner i is at i (side - crop) / (count - 1), a half rounded up; a single one is central.
    """
    if count == 1:
        return [centre(sides, crop)]
    from archspec.transforms.frame import rounded

    rows, columns = (
        [rounded(i * (side - length), count - 1) for i in range(count)]
        for side, length in zip(sides, crop, strict=True)
    )
    return [(row, column) for row in rows for column in columns]
