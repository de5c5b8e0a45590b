"""Indices of a Keras tensor, read as NumPy and Keras mean them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from archspec.diagnostics import ArchspecError, Source
from archspec.graph.compile.compiler import compile_spec
from archspec.lang.spec.spec import parse
from archspec.runtime.from_keras import spec_of
from archspec.runtime.models.build import build_model

X = np.random.default_rng(3).normal(size=(2, 6, 5, 7)).astype("float32")
R = slice(None)
KEYS: list[Any] = [
    (R, slice(1, 99)),
    (R, slice(-99, -2)),
    (R, slice(-3, None)),
    (R, slice(5, None, -1)),
    (R, slice(4, 1, -1)),
    (R, slice(99, None, -2)),
    (R, slice(None, None, -2)),
    (R, slice(-2, -99, -2), slice(None, -1)),
    (R, R, slice(-1, 0, -3), slice(5, 1, -2)),
    (Ellipsis, slice(None, None, -1)),
    (R, -1),
    (Ellipsis, None),
    (R, 1, Ellipsis, slice(-2, None)),
    (R, None, 2, Ellipsis, slice(None, None, 3)),
]
FREE: list[Any] = [
    (R, slice(4, None, -1)),
    (R, slice(None, 2, -2)),
    (R, slice(-2, -5, -1)),
    (R, slice(1, 99)),
    (R, slice(None, None, 2)),
    (R, -1),
]


def built(model: keras.Model) -> Any:
    return build_model(compile_spec(parse(Source("net.yaml", spec_of(model)))))


def test_ranges_are_read_as_numpy_means_them() -> None:
    entry = keras.Input(X.shape[1:])
    for key, found in zip(KEYS, built(keras.Model(entry, [entry[key] for key in KEYS]))(X), strict=True):
        np.testing.assert_array_equal(found, X[key], err_msg=str(key))


def test_ranges_of_an_axis_of_free_size_hold_for_each_size() -> None:
    entry = keras.Input((None, 4))
    model = built(keras.Model(entry, [entry[key] for key in FREE]))
    for length in (3, 7):
        x = np.arange(2.0 * length * 4, dtype="float32").reshape(2, length, 4)
        for key, found in zip(FREE, model(x), strict=True):
            np.testing.assert_array_equal(found, x[key], err_msg=str(key))


def test_positions_along_any_axis_are_taken() -> None:
    entry = keras.Input(X.shape[1:])
    taken = [([0, 2, 4], 1), ([4, 3, 2], 2), ([3, 3, 0], 1), ([-1, 2], -1), ([2, 2], 2)]
    model = built(keras.Model(entry, [ops.take(entry, each, axis) for each, axis in taken]))
    for (each, axis), found in zip(taken, model(X), strict=True):
        np.testing.assert_array_equal(found, np.take(X, each, axis), err_msg=f"{each} {axis}")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x[:, 3:3], "its range `3:3` selects none of the 6 positions of axis 1"),
        (lambda x: x[..., 9::2], "its range `9::2` selects none of the 7 positions of axis 3"),
        (lambda x: x[0], "it selects images of the batch"),
        (lambda x: ops.flip(x), "without `axis` it reverses the images of the batch, too"),
        (lambda x: ops.transpose(x), "it moves the batch axis"),
        (lambda x: ops.mean(x, axis=0), "it reduces axis 0, the batch axis included"),
        (lambda x: ops.reshape(x, (-1, 7)), "it moves values from one image of the batch to another"),
    ],
)
def test_what_changes_the_batch_or_selects_nothing_is_refused(function: Callable[[Any], Any], words: str) -> None:
    entry = keras.Input(X.shape[1:])
    with pytest.raises(ArchspecError) as caught:
        spec_of(keras.Model(entry, function(entry)))
    assert words in str(caught.value)
    assert "docs/keras.md" not in str(caught.value)  # the remedy is about the call, not about the layer


def test_a_fixed_batch_is_read_as_a_free_one() -> None:
    entry = keras.Input(batch_shape=(2, 6, 5, 7))
    model = built(keras.Model(entry, ops.reshape(layers.ReLU()(entry), (2, 210))))
    np.testing.assert_array_equal(model(X[:1]), np.maximum(X[:1], 0).reshape(1, 210))


def test_a_fixed_batch_that_a_layer_changes_is_refused() -> None:
    entry = keras.Input(batch_shape=(2, 6, 8))
    with pytest.raises(ArchspecError, match="it moves values from one image of the batch to another"):
        spec_of(keras.Model(entry, ops.reshape(entry, (4, 24))))
