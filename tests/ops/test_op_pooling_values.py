"""Pooling with sizes rounded up, and into bins, against plain loops over the definitions of the papers."""

import math
from typing import Any

import numpy as np
import pytest

from archspec.ops import OPS, OpError
from tests.ops.test_op_values import normal, run


def pooled_up(x: np.ndarray, window: int, stride: int, pad: int, reduce: Any) -> np.ndarray:
    """Caffe's pooling_layer.cpp, along both axes: ceil, then no window that starts behind the image."""
    sizes = []
    for size in x.shape[1:3]:
        count = math.ceil((size + 2 * pad - window) / stride) + 1
        sizes.append(count - 1 if (count - 1) * stride >= size + pad else count)
    out = np.empty((len(x), *sizes, x.shape[3]), "float32")
    for i in range(sizes[0]):
        for j in range(sizes[1]):
            top, left = i * stride - pad, j * stride - pad
            bottom, right = (min(at + window, size + pad) for at, size in zip((top, left), x.shape[1:3], strict=True))
            seen = x[:, max(top, 0) : bottom, max(left, 0) : right]
            out[:, i, j] = reduce(seen, (bottom - top) * (right - left))
    return out


@pytest.mark.parametrize(
    ("window", "stride", "pad"), [(3, 2, 0), (2, 2, 0), (3, 2, 1), (2, 2, 1), (3, 3, 1), (2, 3, 0)]
)
@pytest.mark.parametrize("height", [7, 8, 9])
def test_sizes_rounded_up_are_those_of_caffe(window: int, stride: int, pad: int, height: int) -> None:
    x = 1 + abs(normal(2, height, 10, 3))
    given = {"pool_size": window, "strides": stride, "padding": pad, "ceil_mode": True}
    maxima = pooled_up(-x, window, stride, pad, lambda seen, _: seen.max((1, 2)))
    np.testing.assert_array_equal(run("maxpool", given, -x), maxima)
    means = pooled_up(x, window, stride, pad, lambda seen, area: seen.sum((1, 2)) / area)
    np.testing.assert_allclose(run("avgpool", given, x), means, rtol=1e-5)


def test_a_free_size_is_refused_where_the_last_window_depends_on_it() -> None:
    assert OPS["maxpool"].make({"pool_size": 3, "strides": 2, "ceil_mode": True}).shape((None, 5, 3)) == (None, 2, 3)
    with pytest.raises(OpError, match="known size"):
        OPS["maxpool"].make({"pool_size": 2, "strides": 2, "padding": 1, "ceil_mode": True}).shape((None, 5, 3))
    with pytest.raises(OpError, match="no effect"):
        OPS["maxpool"].make({"padding": "same", "ceil_mode": True}).shape((7, 5, 3))


def bins(x: np.ndarray, count: int, reduce: Any) -> np.ndarray:
    """(batch, count, count, C): bin i covers floor(i H / count) up to ceil((i + 1) H / count)."""
    rows, columns = (
        [slice(i * size // count, math.ceil((i + 1) * size / count)) for i in range(count)] for size in x.shape[1:3]
    )
    return np.stack([np.stack([reduce(x[:, row, column]) for column in columns], 1) for row in rows], 1)


@pytest.mark.parametrize("free", [False, True], ids=["known sizes", "free sizes"])
def test_bins_share_the_feature_map(free: bool) -> None:
    import keras

    x = -1 - abs(normal(2, 11, 6, 3))
    tensor = keras.Input((None, None, 3) if free else x.shape[1:])

    def run_on(op: str, given: dict[str, Any]) -> np.ndarray:
        return np.asarray(keras.Model(tensor, OPS[op].make(given).build(keras, "a.b")(tensor))(x))

    mean = run_on("adaptive_avgpool", {"output_size": 4})
    np.testing.assert_allclose(mean, bins(x, 4, lambda seen: seen.mean((1, 2))), rtol=1e-5)
    pyramid = run_on("spatial_pyramid_pool", {"bins": [3, 1]})
    levels = [bins(x, count, lambda seen: seen.max((1, 2))).reshape(2, -1) for count in (3, 1)]
    np.testing.assert_array_equal(pyramid, np.concatenate(levels, 1))


@pytest.mark.parametrize(("bins", "window", "stride"), [(3, 5, 4), (2, 7, 6), (1, 13, 13)])
def test_the_bins_of_a_13x13_map_are_the_windows_of_the_paper(bins: int, window: int, stride: int) -> None:
    """He et al. 2014, Figure 4: pool3x3, pool2x2 and pool1x1 of the single-size network."""
    x = normal(2, 13, 13, 4)
    pooled = run("maxpool", {"pool_size": window, "strides": stride}, x)
    np.testing.assert_array_equal(run("spatial_pyramid_pool", {"bins": [bins]}, x), pooled.reshape(2, -1))
