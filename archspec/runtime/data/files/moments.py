"""Mean, standard deviation and principal components of the colours of many images, one image at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SHIFT = 128  # grey levels, subtracted first, so that squares of large numbers do not cancel
COUNT = 10
"""How many numbers an image leaves: its pixels, the sum of each channel, six sums of products."""
PRODUCTS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class Colours:
    """Statistics of RGB, grey levels 0 to 255, over all pixels.

    Attributes:
        mean, std: of each channel.
        deviations: standard deviations along the principal components, greatest first: of `pca_color`.
        components: unit vectors, one a row, of which the greatest entry is positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    deviations: tuple[float, ...]
    components: tuple[tuple[float, ...], ...]


def moments(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """What an image (H, W, 3) adds to the sums: float64 (COUNT,)."""
    shifted = pixels.reshape(-1, 3).astype(np.float32) - SHIFT
    # whole numbers: a row of 1,024 products is exact in float32, of a wider one good to 1e-7; rows are added in float64
    rows = shifted.reshape(pixels.shape)
    products = np.einsum("hwc,hwd->hcd", rows, rows).astype(np.float64).sum(0)
    sums = rows.sum(1).astype(np.float64).sum(0)
    return np.array([len(shifted), *sums, *(products[pair] for pair in PRODUCTS)])


def colours(total: npt.NDArray[np.float64]) -> Colours | None:
    """The statistics of a sum of `moments`; None of no pixels."""
    count = total[0]
    if not count:
        return None
    mean = total[1:4] / count
    second = np.empty((3, 3))
    for (row, column), value in zip(PRODUCTS, total[4:], strict=True):
        second[row, column] = second[column, row] = value / count
    covariance = second - np.outer(mean, mean)
    variances, vectors = np.linalg.eigh(covariance)
    components = vectors.T[::-1]
    signs = np.sign(components[np.arange(3), np.abs(components).argmax(1)])
    return Colours(
        _rounded(mean + SHIFT, 3),
        _rounded(np.sqrt(np.diag(covariance).clip(0)), 3),
        _rounded(np.sqrt(variances[::-1].clip(0)), 3),
        tuple(_rounded(row, 4) for row in components * signs[:, None]),
    )


def _rounded(values: Any, digits: int) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)
