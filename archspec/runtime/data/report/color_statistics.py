"""Mean, deviation and principal components of the colors of images, for `normalize` and `pca_color`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.image_facts import PRODUCTS, SHIFT


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
