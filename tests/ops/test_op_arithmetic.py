"""Functions, reductions, merges of two inputs, permute and slice, against NumPy."""

from typing import Any

import keras
import numpy as np
import pytest

from archspec.ops import OPS, OpError
from tests.ops.test_op_values import run

X = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
POSITIVE = np.exp(X)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("abs", np.abs(POSITIVE)),
        ("exp", np.exp(POSITIVE)),
        ("log", np.log(POSITIVE)),
        ("negative", -POSITIVE),
        ("reciprocal", 1 / POSITIVE),
        ("rsqrt", POSITIVE**-0.5),
        ("sqrt", np.sqrt(POSITIVE)),
        ("square", POSITIVE**2),
    ],
)
def test_functions(name: str, expected: Any) -> None:
    np.testing.assert_allclose(run(name, {}, POSITIVE), expected, rtol=1e-5)


def test_clip() -> None:
    np.testing.assert_array_equal(run("clip", {"x_min": -0.5, "x_max": 1}, X), np.clip(X, -0.5, 1))
    with pytest.raises(OpError, match="must be smaller"):
        OPS["clip"].make({"x_min": 1, "x_max": 1}).shape((3,))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [3, 1]])
@pytest.mark.parametrize("name", ["mean", "sum", "max", "min", "variance"])
def test_reductions(name: str, axis: Any, keepdims: bool) -> None:
    expected = getattr(np, {"variance": "var"}.get(name, name))(
        X, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    )
    np.testing.assert_allclose(
        run(f"reduce_{name}", {"axis": axis, "keepdims": keepdims}, X), expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(
    ("axis", "message"), [(0, "is the batch axis"), (4, "not an axis"), ([1, -3], "twice"), ([1, 2, 3], "leaves none")]
)
def test_reductions_along_other_axes_are_refused(axis: Any, message: str) -> None:
    with pytest.raises(OpError, match=message):
        OPS["reduce_mean"].make({"axis": axis}).shape((5, 4, 3))


@pytest.mark.parametrize(("name", "function"), [("subtract", "subtract"), ("divide", "divide"), ("power", "power")])
def test_merges_of_two_inputs_keep_their_order(name: str, function: str) -> None:
    other = POSITIVE[:, :1, :1]
    np.testing.assert_allclose(run(name, {}, POSITIVE, other), getattr(np, function)(POSITIVE, other), rtol=1e-5)
    with pytest.raises(OpError, match="with as many axes"):
        OPS[name].make({}).shape((5, 4, 3), (4, 3))
    with pytest.raises(OpError, match="exactly two inputs"):
        OPS[name].make({}).shape((3,), (3,), (3,))


@pytest.mark.parametrize("name", ["subtract", "divide", "power", "add", "minimum"])
def test_a_free_size_beside_a_known_one_is_what_keras_says(name: str) -> None:
    shapes = (4, None, 1), (None, None, 3)
    inputs = [keras.Input(shape) for shape in shapes]
    merge = OPS[name].make({})
    assert (None, *merge.shape(*shapes)) == merge.build(keras, "merge")(*inputs).shape


def test_minimum() -> None:
    np.testing.assert_array_equal(run("minimum", {}, X, -X, X[:, :1]), np.minimum(np.minimum(X, -X), X[:, :1]))


def test_matmul_is_that_of_numpy() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 3, 4, 5)), np.random.default_rng(2).normal(size=(2, 1, 5, 6))
    np.testing.assert_allclose(run("matmul", {}, x, y), x @ y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_flip_is_that_of_numpy(axis: int) -> None:
    np.testing.assert_array_equal(run("flip", {"axis": axis}, X), np.flip(X, axis))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([(4, 6), (5, 3)], "the first input has 6 columns and the second 5 rows"),
        ([(4, 6), (2, 6, 3)], "as many axes"),
        ([(6,), (6,)], "at least two"),
        ([(2, 4, 6), (3, 6, 5)], "cannot multiply the matrices of"),
        ([(4, 6)] * 3, "exactly two inputs"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(inputs: list[Any], message: str) -> None:
    with pytest.raises(OpError, match=message):
        OPS["matmul"].make({}).shape(*inputs)


def test_permute() -> None:
    np.testing.assert_array_equal(run("permute", {"dims": [3, 1, 2]}, X), X.transpose(0, 3, 1, 2))
    with pytest.raises(OpError, match="is no order of the 3 axes"):
        OPS["permute"].make({"dims": [1, 2]}).shape((5, 4, 3))


def test_slice() -> None:
    np.testing.assert_array_equal(run("slice", {"start": 1, "end": -1, "axis": 1}, X), X[:, 1:-1])
    np.testing.assert_array_equal(run("slice", {"end": 2}, X), X[..., :2])
    with pytest.raises(OpError, match="nothing lies between"):
        OPS["slice"].make({"start": 2, "end": 1}).shape((5, 4, 3))
    with pytest.raises(OpError, match="has 3 positions, but `end` is 4"):
        OPS["slice"].make({"end": 4}).shape((5, 4, 3))
