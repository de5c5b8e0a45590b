"""ResNet-1202 is built, saved and read back; `benchmarks/depth.py` has the time."""

from pathlib import Path

import keras
import numpy as np

import archspec
from archspec.runtime.models.build import build_model
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import load_model, save_model
from tests.agreement import assert_agree


def test_resnet_1202_is_built_saved_and_read_back(tmp_path: Path) -> None:
    graph = archspec.load("resnet-cifar:1202").graph()
    model = build_model(graph)
    save_model(model, tmp_path / "deep.keras", Metadata())
    again = load_model(tmp_path / "deep.keras")[0]
    assert_agree(graph, again)
    for weight, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(other))
