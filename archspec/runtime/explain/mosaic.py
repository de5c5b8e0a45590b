"""Many small maps as one, in a grid."""

from __future__ import annotations

import math

import numpy as np

from archspec.runtime.explain.map_scaling import Array


def mosaic(tiles: Array, fill: float = np.nan) -> Array:
    """Tiles (n, h, w, ...) as a grid that is about square, with a line of `fill` between them."""
    count, height, width = tiles.shape[:3]
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    grid = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *tiles.shape[3:]), fill, np.float32)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = row * (height + 1), column * (width + 1)
        grid[top : top + height, left : left + width] = tile
    return grid
