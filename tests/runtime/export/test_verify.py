"""How far the outputs of an export may be from those of the network: classes and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from archspec.runtime.export.network import ExportedNetwork
from archspec.runtime.export.read_network import read_network
from archspec.runtime.export.verify import SMALLEST_SCALE, _allowed, _largest
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model


def network(folder: Path, *last: Any, outputs: tuple[str, ...] = ()) -> ExportedNetwork:
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(4, 3, name="conv"), *last])
    save_model(keras.Model(model.inputs, model.outputs), folder / "m.keras", Metadata())
    return read_network(folder / "m.keras", outputs)


def test_classes_are_held_to_the_tolerance_and_values_to_their_own(tmp_path: Path) -> None:
    layers = keras.layers
    classes = network(tmp_path, layers.Flatten(), layers.Dense(3, "softmax"), outputs=("conv",))
    assert classes.of_classes == {"probabilities"}
    for name in ("serving_default/probabilities", "serve_images/probabilities"):
        assert _allowed(classes, name, 1e-5) == 1e-5
    assert _allowed(classes, "serve_features/conv", 1e-5) == 1e-4
    values = network(tmp_path)
    assert values.of_classes == set()
    assert [_allowed(values, "serving_default/values", each) for each in (1e-5, 1e-2)] == [1e-4, 1e-2]


@pytest.mark.parametrize(
    ("size", "difference", "found"),
    [(1000.0, 0.05, 5e-5), (1.0, 2e-4, 2e-4), (0.0, 5e-7, 5e-5), (1e-3, 2e-6, 2e-4)],
)
def test_differences_of_values_are_relative_to_the_largest(size: float, difference: float, found: float) -> None:
    expected = np.array([[0.0, size], [size / 2, -size]])
    values = expected + np.array([[difference, 0], [0, 0]])
    assert _largest(expected, values, SMALLEST_SCALE) == pytest.approx(found)
