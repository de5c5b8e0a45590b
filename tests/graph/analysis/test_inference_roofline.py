"""The bound on the speed of inference, calculated by hand."""

from __future__ import annotations

import pytest

import archspec
from archspec.graph.analysis.inference_roofline import inference_seconds


def test_layers_take_their_arithmetic_or_their_traffic() -> None:
    """VGG-A: convolutions and dense layers read their input and weights, and write their output."""
    graph = archspec.load("vgg:A").graph()
    macs = [2 * (node.facts.macs or 0) for node in graph.layers if node.op.name in ("conv", "dense")]
    assert inference_seconds(graph, 1, 1e9, 1e30) == pytest.approx(sum(macs) / 1e9)
    weights = sum(node.facts.params for node in graph.layers)
    maps = sum(
        (graph.nodes[node.inputs[0]].activation_bytes or 0) + (node.activation_bytes or 0)
        for node in graph.layers
        if node.op.name in ("conv", "dense")
    )
    assert inference_seconds(graph, 1, 1e30, 1e9) == pytest.approx((4 * weights + maps) / 1e9)
    assert inference_seconds(graph, 8, 1e30, 1e9) == pytest.approx((4 * weights + 8 * maps) / 1e9)


def test_a_free_size_has_no_bound() -> None:
    assert inference_seconds(archspec.load("resnet:18", input=[None, None, 3]).graph(), 1, 1e9, 1e9) is None
