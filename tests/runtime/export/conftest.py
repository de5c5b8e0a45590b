"""A trained network and its exports, a network with two inputs and two outputs, one with a map, and programs that run
in the test process."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from tests.runtime.export.exports import run_programs_here

TWO_OF_EACH = Path(__file__).parents[2] / "examples" / "good" / "several-inputs.yaml"
TRAINED = """
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - {conv: {filters: 8, kernel_size: 3, use_bias: false}, name: first}
  - bn
  - relu
  - {conv: {filters: 8, kernel_size: 3, padding: same, groups: 2}, name: grouped}
  - {dropout: 0.2, name: drop}
  - maxpool
  - flatten
  - dense: $classes
  - softmax
preprocess: [scale: $(1 / 255)]
train: {epochs: 3, batch_size: 64, optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}}
"""
MAP = """
name: map
input: [9, 8, 3]
layers:
  - {conv: {filters: 4, kernel_size: 3, use_bias: false}, name: first}
  - bn
  - relu
  - {conv_transpose: {filters: 2, kernel_size: 2, strides: 2}}
  - softmax
preprocess: [scale: $(1 / 255), subtract_mean: 0.5]
evaluate: {resize: 10}
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.yaml").write_text(TRAINED)
    return archspec.train(str(folder / "small.yaml"), "digits", out=folder / "run").directory


@pytest.fixture(scope="session")
def onnx_export(run: Path, tmp_path_factory: pytest.TempPathFactory) -> archspec.Export:
    return archspec.export(run, tmp_path_factory.mktemp("onnx") / "o", format="onnx", outputs=["grouped"])


@pytest.fixture(scope="session")
def litert_export(run: Path, tmp_path_factory: pytest.TempPathFactory) -> archspec.Export:
    return archspec.export(run, tmp_path_factory.mktemp("litert") / "l", format="litert", outputs=["grouped"])


@pytest.fixture(scope="session")
def two_of_each(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """image (12, 14, 3), numbers (5,) -> mask (12, 14, 2), label (3,)."""
    path = tmp_path_factory.mktemp("two-of-each") / "model.keras"
    archspec.load(str(TWO_OF_EACH)).save(path)
    return path


@pytest.fixture(scope="session")
def map_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image (9, 8, 3) -> a map of two classes (14, 12, 2)."""
    folder = tmp_path_factory.mktemp("map")
    (folder / "map.yaml").write_text(MAP)
    archspec.load(str(folder / "map.yaml")).save(folder / "map.keras")
    return folder / "map.keras"


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    run_programs_here(monkeypatch)
