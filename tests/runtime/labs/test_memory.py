"""Training memory by layer, against counts by hand and against the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.graph.analysis.training_memory import training_memory
from archspec.ops.base import product
from archspec.runtime.labs.experiments.memory import layer_memory, network_memory


def test_a_convolution_of_vgg_keeps_the_output_of_its_relu() -> None:
    """VGG's Table 2 and its first layers: 224 x 224 x 64 twice, then also the pooled maps."""
    conv1_1, conv1_2 = layer_memory(archspec.load("vgg:D").graph())[:2]
    assert conv1_1.maps == 4 * 224 * 224 * 64
    assert conv1_2.maps == 4 * (224 * 224 * 64 + 112 * 112 * 64)
    assert conv1_1.weights == 4 * (27 * 64 + 64)


@pytest.mark.parametrize("reference", ["alexnet", "vgg:D", "resnet:50"])
def test_the_layers_add_up_to_the_plan(reference: str) -> None:
    graph = archspec.load(reference).graph()
    layers, memory = layer_memory(graph), training_memory(graph, 1)
    assert memory is not None
    images = 4 * (product(graph.input_shape) or 0)
    assert sum(layer.weights for layer in layers) == memory.weights == 4 * graph.params
    scratch = sum(4 * (node.op.workspace(*graph.shapes_into(node)) or 0) for node in graph.layers)
    assert sum(layer.maps for layer in layers) + images + scratch == pytest.approx(memory.activations)


def test_halves_and_equality_follow_from_the_layers() -> None:
    memory = network_memory(archspec.load("alexnet").graph(), 128)
    assert memory.first_half()[1] < 0.05  # the dense layers hold 58.6 of 61 million weights
    assert memory.equal_from() * memory.maps / 128 == pytest.approx(memory.weights)


def test_the_lab_finds_it_in_alexnet(tmp_path: Path) -> None:
    result = archspec.lab("memory", out=tmp_path, scale="tiny")
    assert result.verdict == "reproduced"
    assert (tmp_path / "memory.png").is_file()
