"""The table of docs/keras.md: it has every layer of Keras, and those with an operator go round."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import pytest

from archspec.diagnostics import ArchspecError
from archspec.runtime.from_keras import spec_of
from archspec.runtime.from_keras.coverage import REASONS, rows
from tests.runtime.from_keras.test_from_keras import functional, goes_round

layers, ops = keras.layers, keras.ops
FUNCTIONS = {
    "GreaterEqual": "greater_equal",
    "LessEqual": "less_equal",
    "NotEqual": "not_equal",
    "OneHot": "one_hot",
    "LogicalAnd": "logical_and",
    "LogicalNot": "logical_not",
    "LogicalOr": "logical_or",
    "TopK": "top_k",
}
"""Class of an operation -> its function in `keras.ops`, unless it is the same word."""
FOUND = [each for _, each in inspect.getmembers(layers, inspect.isclass) if issubclass(each, keras.Layer)]
CLASSES = {each.__name__: each for each in FOUND}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "Conv": {"filters": 5, "kernel_size": 3},
    "DepthwiseConv": {"kernel_size": 3},
    "SeparableConv": {"filters": 5, "kernel_size": 3},
    "AveragePooling": {"pool_size": 2},
    "AdaptiveAveragePooling": {"output_size": 3},
    "AdaptiveMaxPooling": {"output_size": 3},
    "RepeatVector": {"n": 3},
    "UnitNormalization": {"axis": 2},
    "Cropping": {"cropping": 1},
    "Dense": {"units": 5},
    "Dropout": {"rate": 0.3},
    "SpatialDropout": {"rate": 0.3},
    "GroupNormalization": {"groups": 2},
    "Normalization": {"mean": 0.5, "variance": 2.0},
    "Permute": {"dims": (2, 1, 3)},
    "Reshape": {"target_shape": (-1, 2)},
    "Rescaling": {"scale": 0.5},
    "Resizing": {"height": 6, "width": 5},
    "CenterCrop": {"height": 6, "width": 5},
    "Activation": {"activation": "tanh"},
    "GaussianNoise": {"stddev": 0.1},
    "AlphaDropout": {"rate": 0.1},
    "GaussianDropout": {"rate": 0.1},
}
SHAPES = {1: (12, 4), 2: (9, 7, 4), 3: (6, 7, 8, 2)}
MERGES = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
READ = [name for name, text in rows() if name in CLASSES and name not in REASONS and not text.startswith("left out: ")]


def test_the_table_has_every_layer_of_keras() -> None:
    table = {name for name, _ in rows()}
    assert set(CLASSES) - table == set()
    others = set(REASONS) - set(CLASSES)
    assert {name for name in others if not hasattr(ops, FUNCTIONS.get(name, name.lower()))} == set()


@pytest.mark.parametrize("name", [name for name in READ if name != "InputLayer"])
def test_a_layer_with_an_operator_goes_round(name: str, tmp_path: Path) -> None:
    word, rank = (name[:-2], int(name[-2])) if name[-2:] in ("1D", "2D", "3D") else (name, 2)
    word, transposed = word.removesuffix("Transpose"), name.endswith("Transpose")
    if transposed:
        word, rank = name[:-11], int(name[-11])
    shape = SHAPES[rank] if name != "RepeatVector" else (4,)
    if name in MERGES:
        inputs = keras.Input(shape)
        goes_round(keras.Model(inputs, CLASSES[name]()([inputs, layers.ReLU()(inputs)])), tmp_path)
    elif name == "Dot":
        inputs = keras.Input((7, 4))
        scores = layers.Dot(-1, normalize=True)([layers.Dense(4)(inputs), inputs])
        goes_round(keras.Model(inputs, layers.Dot((2, 1))([scores, inputs])), tmp_path)
    elif name == "MultiHeadAttention":
        inputs = keras.Input((7, 4))
        goes_round(keras.Model(inputs, layers.MultiHeadAttention(2, 3)(inputs, layers.Dense(5)(inputs))), tmp_path)
    else:
        goes_round(functional(CLASSES[name](**ARGUMENTS.get(word, {})), layers.ReLU(), shape=shape), tmp_path)


def test_a_layer_without_an_operator_is_named() -> None:
    with pytest.raises(ArchspecError) as caught:
        spec_of(functional(layers.LSTM(3, name="again"), shape=(5, 4)))
    assert "`again` (LSTM)" in str(caught.value)
