"""ResNet-1202: built in time linear in its depth, saved and read back."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.runtime.build import build_model
from archspec.runtime.metadata import Metadata
from archspec.runtime.model_file import load_model, save_model
from tests.agreement import assert_agree

UNITS = {110: 18, 302: 50, 1202: 200}
SLACK = 1.6
"""What the time of a layer may grow by from 110 layers to 1202: eleven times as much is quadratic."""


@pytest.fixture(scope="module")
def built() -> dict[int, tuple[Any, float]]:
    """The models with the processor's milliseconds that one layer took to build."""
    build_model(archspec.load("resnet-cifar:20").graph())  # what the first model of a process loads and caches
    models = {}
    for depth, units in UNITS.items():
        graph = archspec.load("resnet-cifar:110", n=units).graph()
        start = time.process_time()
        model = build_model(graph)
        models[depth] = model, 1e3 * (time.process_time() - start) / len(model.layers)
    return models


def test_the_time_to_build_a_layer_does_not_grow_with_the_depth(built: dict[int, tuple[Any, float]]) -> None:
    each = {depth: milliseconds for depth, (_, milliseconds) in built.items()}
    assert max(each.values()) <= SLACK * each[110], each


def test_resnet_1202_is_built_saved_and_read_back(built: dict[int, tuple[Any, float]], tmp_path: Path) -> None:
    graph = archspec.load("resnet-cifar:110", n=UNITS[1202]).graph()
    assert graph.layers[1:] == archspec.load("resnet-cifar:1202").graph().layers[1:]
    model = built[1202][0]
    save_model(model, tmp_path / "deep.keras", Metadata())
    again = load_model(tmp_path / "deep.keras")[0]
    assert_agree(graph, again)
    for weight, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(other))
