"""Deep networks are built, saved and read back; `benchmarks/depth.py` has the time."""

from pathlib import Path

import keras
import numpy as np
import pytest

import archspec
from archspec.runtime.models.build import build_model
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model
from tests.agreement import assert_agree


@pytest.mark.parametrize("depth", [110, pytest.param(1202, marks=pytest.mark.slow)])
def test_a_deep_network_is_built_saved_and_read_back(depth: int, tmp_path: Path) -> None:
    graph = archspec.load(f"resnet-cifar:{depth}").graph()
    model = build_model(graph)
    save_model(model, tmp_path / "deep.keras", Metadata())
    again = load_model(tmp_path / "deep.keras")[0]
    assert_agree(graph, again)
    for weight, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(other))
