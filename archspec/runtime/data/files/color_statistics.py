"""Mean, standard deviation and principal components of the colors of many images, computed image by image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SHIFT = 128  # grey levels, subtracted first to avoid cancellation of large squares
SUMS = 10
"""Sums of an image: its number of pixels, the sum of each channel, six sums of products."""
PRODUCTS = np.triu_indices(3)
"""Rows and columns of the six sums of products in the matrix of all channels, which is symmetric."""


@dataclass(frozen=True)
class ColorStatistics:
    """Statistics of RGB over all pixels, in grey levels 0 to 255.

    Attributes:
        mean, std: of each channel.
        deviations: standard deviations along the principal components, largest first, for `pca_color`.
        components: the components as unit vectors, one in each row; their largest entries are positive.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    deviations: tuple[float, ...]
    components: tuple[tuple[float, ...], ...]


def color_sums(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The sums of an image (H, W, 3): float64 (SUMS,)."""
    # sums of integers over a row of up to 1,024 pixels are exact in float32, over a wider row to 1e-7
    rows = pixels.astype(np.float32) - SHIFT
    products = np.einsum("hwc,hwd->hcd", rows, rows).astype(np.float64).sum(0)
    sums = rows.sum(1).astype(np.float64).sum(0)
    return np.array([rows.shape[0] * rows.shape[1], *sums, *products[PRODUCTS]])


def color_statistics(total: npt.NDArray[np.float64]) -> ColorStatistics | None:
    """The statistics of a total of `color_sums`; None without pixels."""
    count = total[0]
    if not count:
        return None
    mean = total[1:4] / count
    covariance = -np.outer(mean, mean)
    covariance[PRODUCTS] += total[4:] / count
    variances, vectors = np.linalg.eigh(covariance, UPLO="U")
    components = vectors.T[::-1]
    signs = np.sign(components[np.arange(3), np.abs(components).argmax(1)])
    return ColorStatistics(
        _rounded(mean + SHIFT, 3),
        _rounded(np.sqrt(np.diag(covariance).clip(0)), 3),
        _rounded(np.sqrt(variances[::-1].clip(0)), 3),
        tuple(_rounded(row, 4) for row in components * signs[:, None]),
    )


def _rounded(values: Any, digits: int) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)
