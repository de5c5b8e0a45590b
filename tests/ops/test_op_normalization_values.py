"""What dot, rms_norm, unit_norm and adaptive_maxpool compute, against NumPy."""

from typing import Any

import numpy as np
import pytest

from archspec.ops import OPS, OpError
from tests.ops.test_op_values import normal, run


def test_dot_is_a_product_of_matrices() -> None:
    x, y = normal(2, 5, 3), normal(2, 7, 3, seed=1)
    np.testing.assert_allclose(run("dot", {"axes": -1}, x, y), x @ y.transpose(0, 2, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run("dot", {"axes": [1, 1]}, x, x), x.transpose(0, 2, 1) @ x, rtol=1e-5, atol=1e-6)


def test_dot_of_vectors_with_their_norms_is_the_cosine() -> None:
    x, y = normal(2, 5), normal(2, 5, seed=1)
    cosine = (x * y).sum(-1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)
    np.testing.assert_allclose(run("dot", {"axes": -1, "normalize": True}, x, y)[:, 0], cosine, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "inputs", "fact"),
    [
        ({"axes": -1}, [(5, 3), (7, 4)], "the axes have the sizes 3 and 4"),
        ({"axes": [1, 3]}, [(5, 3), (5, 4)], "`axes: 3` is not an axis of"),
        ({"axes": 0}, [(5,), (5,)], "`axes: 0` is the batch axis"),
        ({"axes": -1}, [(5,), (5,), (5,)], "needs exactly two inputs, but has 3"),
    ],
)
def test_what_dot_refuses(given: dict[str, Any], inputs: Any, fact: str) -> None:
    with pytest.raises(OpError, match=fact):
        OPS["dot"].make(given).shape(*inputs)


def test_rms_norm_divides_by_the_root_of_the_mean_square() -> None:
    """Zhang & Sennrich 2019, equation 4, with the learned scale at its initial 1."""
    x = normal(2, 5, 4, 3)
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 0.1)
    np.testing.assert_allclose(run("rms_norm", {"epsilon": 0.1}, x), expected, rtol=1e-5)


@pytest.mark.parametrize(("axis", "numpy_axis"), [(-1, -1), (1, 1), ([1, 2], (1, 2))])
def test_unit_norm_gives_vectors_of_length_1(axis: Any, numpy_axis: Any) -> None:
    x = normal(2, 5, 4, 3)
    found = run("unit_norm", {"axis": axis}, x)
    np.testing.assert_allclose((found**2).sum(numpy_axis), 1, rtol=1e-5)
    np.testing.assert_allclose(found * np.sqrt((x**2).sum(numpy_axis, keepdims=True)), x, rtol=1e-4, atol=1e-6)


def test_adaptive_maxpool_is_the_maximum_of_each_bin() -> None:
    """Bin i of n covers floor(i H / n) to ceil((i + 1) H / n) - 1, as in PyTorch."""
    x = normal(2, 7, 5, 3)
    found = run("adaptive_maxpool", {"output_size": [3, 2]}, x)
    assert found.shape == (2, 3, 2, 3)
    np.testing.assert_array_equal(found[:, 1, 1], x[:, 2:5, 2:5].max(axis=(1, 2)))
    np.testing.assert_array_equal(found[:, 2, 0], x[:, 4:7, 0:3].max(axis=(1, 2)))
