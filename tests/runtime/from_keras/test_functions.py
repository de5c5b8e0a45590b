"""Functions of `keras.ops` that several operators compute, and arrays of numbers among the inputs of a layer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.from_keras import spec_of
from tests.runtime.from_keras.test_indexing import built

X = np.random.default_rng(5).uniform(-2, 2, (2, 6, 4, 3)).astype("float32")
NORM = np.linalg.norm(X, axis=-1, keepdims=True)
E = np.exp(X)
CALLS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "max with a number": (lambda x: ops.maximum(x, 0.25), np.maximum(X, 0.25)),
    "max with zero": (lambda x: ops.maximum(x, 0), np.maximum(X, 0)),
    "min with a number": (lambda x: ops.minimum(-1.5, x), np.minimum(X, -1.5)),
    "std": (lambda x: ops.std(x, axis=(1, 2), keepdims=True), X.std((1, 2), keepdims=True)),
    "norm": (lambda x: ops.norm(x, axis=-1, keepdims=True), NORM),
    "norm of order 1": (lambda x: ops.norm(x, 1, axis=2), np.abs(X).sum(2)),
    "normalize": (lambda x: ops.normalize(x), X / NORM),
    "normalize of order 1": (lambda x: ops.normalize(x, 2, order=1), X / np.abs(X).sum(2, keepdims=True)),
    "normalize with epsilon": (lambda x: ops.normalize(x, epsilon=2.0), X / np.maximum(NORM, 2)),
    "average": (lambda x: ops.average(x, axis=1), X.mean(1)),
    "log1p": (lambda x: ops.log1p(x * x), np.log1p(X * X)),
    "expm1": (ops.expm1, np.expm1(X)),
    "cube": (lambda x: x**3, X**3),
    "fourth power": (lambda x: ops.power(x, 4), X**4),
    "first power": (lambda x: x**1, X),
    "powers of two": (lambda x: 2.0**x, np.exp2(X)),
    "stop_gradient": (lambda x: ops.stop_gradient(x), X),
    "softmax over an image": (lambda x: layers.Softmax(axis=(1, 2))(x), E / E.sum((1, 2), keepdims=True)),
    "tile": (lambda x: ops.tile(x, (1, 2, 1, 3)), np.tile(X, (1, 2, 1, 3))),
    "repeat rows": (lambda x: ops.repeat(x, 3, axis=1), np.repeat(X, 3, 1)),
    "repeat channels": (lambda x: ops.repeat(x, 2, axis=-1), np.repeat(X, 2, -1)),
    "max_pool": (lambda x: ops.max_pool(x, (3, 2)), X.reshape(2, 2, 3, 2, 2, 3).max((2, 4))),
    "average_pool": (lambda x: ops.average_pool(x, 2, 2), X.reshape(2, 3, 2, 2, 2, 3).mean((2, 4))),
    "resize": (lambda x: ops.image.resize(x, (12, 8), "nearest"), X.repeat(2, 1).repeat(2, 2)),
    "an equal array": (lambda x: x + np.full((4, 1), 2.0), X + 2),
    "a row of channels": (lambda x: x * np.array([[[2.0, 3.0, 4.0]]]), X * [2, 3, 4]),
}


def test_functions_of_several_operators_give_the_values_of_numpy() -> None:
    entry = keras.Input(X.shape[1:])
    model = built(keras.Model(entry, [call(entry) for call, _ in CALLS.values()]))
    for (name, (_, wanted)), found in zip(CALLS.items(), model(X), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x * np.arange(4.0).reshape(4, 1), "it combines its input with an array of shape (4, 1)"),
        (lambda x: x + np.inf, "one of its numbers is NaN or infinite"),
        (lambda x: ops.matmul(x, np.ones((3, 5), "float32")), "`layers.Dense(units, use_bias=False)`"),
        (lambda x: layers.Concatenate()([x, np.ones((1, 6, 4, 1), "float32"), x]), "one of its inputs is an array"),
        (lambda x: layers.MultiHeadAttention(2, 2)(x[:, 0], np.ones((1, 5, 3), "float32")), "is an array"),
        (lambda x: x**5, "its exponent is 5"),
        (lambda x: ops.repeat(x, [1, 2, 3, 1, 1, 1], axis=1), "each position another number of times"),
        (lambda x: ops.repeat(x, 2, axis=0), "it repeats the images of the batch"),
        (lambda x: ops.normalize(x, order=3), "its order is 3"),
        (lambda x: layers.TimeDistributed(layers.Conv2D(2, 1))(x[..., None]), "each step of a sequence"),
        (lambda x: ops.dot(x, x[:, 0, :3]), "every sample of one input with every sample of the other"),
        (lambda x: ops.average(x, axis=-1, weights=np.arange(3.0)), "its values have weights"),
        (lambda x: ops.top_k(x, 2)[0], "it sorts its input"),
        (lambda x: x + ops.mean(x, axis=(1, 2)), "`ops.expand_dims(x, 1)`"),
        (lambda x: ops.sum(x, axis=(1, 2, 3)), "its output has no axis besides the batch"),
        (ops.sin, "archspec has no operator for it"),
    ],
)
def test_what_no_operator_computes_is_refused_with_the_reason(function: Callable[[Any], Any], words: str) -> None:
    entry = keras.Input(X.shape[1:])
    with pytest.raises(ArchspecError) as caught:
        spec_of(keras.Model(entry, function(entry)))
    assert words in str(caught.value)


def test_a_dense_layer_of_each_step_is_a_dense_layer(tmp_path: Path) -> None:
    """Keras gives both the same values."""
    entry = keras.Input((6, 4))
    outputs = layers.Flatten()(layers.TimeDistributed(layers.Dense(3, activation="relu"))(entry))
    model = keras.Model(entry, outputs)
    model.save(tmp_path / "net.keras")
    (tmp_path / "net.yaml").write_text(spec_of(model))
    found = archspec.load(str(tmp_path / "net.yaml")).build(weights=tmp_path / "net.keras")
    np.testing.assert_allclose(found(X[..., 0]), model(X[..., 0]), atol=1e-6)
