"""The resolved spec loads by itself, and gives the same network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archspec import api
from archspec.diagnostics import ArchspecError, Source
from archspec.graph.ir import Graph
from archspec.lang.spec.spec import parse
from tests.examples.specs import GOOD


def load_text(text: str) -> api.Network:
    return api.Network(parse(Source("resolved.yaml", text)), "resolved", None, {})


def layers(graph: Graph) -> list[Any]:
    return [(node.path, node.op, node.inputs, node.facts) for node in graph.layers]


def assert_the_same(network: api.Network) -> None:
    again = load_text(network.resolved_text())
    one, other = network.graph(), again.graph()
    assert other.name == one.name
    assert (other.input_shape, other.outputs, other.loss_weights) == (one.input_shape, one.outputs, one.loss_weights)
    assert layers(other) == layers(one)
    assert again.recipe == network.recipe
    assert again.protocol == network.protocol
    assert again.preprocess == network.preprocess


@pytest.mark.parametrize("family", api.families())
def test_every_variant_of_a_shipped_spec(family: str) -> None:
    for network in api.networks(family):
        assert_the_same(network)


@pytest.mark.parametrize("family", api.families())
def test_a_shipped_spec_with_settings(family: str) -> None:
    (*_, network) = api.networks(family)
    rank, channels = len(network.graph().input_shape), network.graph().input_shape[-1]
    settings: dict[str, Any] = {"classes": 7} if "classes" in network.params else {}
    try:
        larger = [size and size + 64 for size in network.graph().input_shape[:-1]]
        changed = api.Network(
            network.spec, network.reference, network.variant, {**settings, "input": [*larger, channels]}
        )
        changed.graph()
    except ArchspecError:  # a spec with a dense layer for one size of image
        changed = api.Network(network.spec, network.reference, network.variant, settings)
    assert len(changed.graph().input_shape) == rank
    assert_the_same(changed)


@pytest.mark.parametrize("spec", GOOD, ids=lambda spec: spec.stem)
def test_every_good_example(spec: Path) -> None:
    for network in api.networks(str(spec)):
        assert_the_same(network)
        text = network.resolved_text()
        assert load_text(text).resolved_text() == text


def test_rows_variants_and_what_only_others_read_are_gone() -> None:
    yaml = """
name: net
input: [8, 6, 3]
params: {a: 3, b: 5}
variants: [A, B]
default: B
layers:
  - {name: x, row: [conv: $a, {conv: $b, when: true}]}
  - row: [~, relu]
expect: {params: {A: 84}}
"""
    spec = parse(Source("net.yaml", yaml))
    text = api.Network(spec, "net", "A", {}).resolved_text()
    assert text == "name: net-A\ninput: [8, 6, 3]\nparams: {a: 3}\nlayers: [{name: x, conv: $a}]\n"


@pytest.mark.parametrize(
    "word", ["on", "1e5", "010", "0x10", "~", "null", "true", "1e999", "$width", "a: b", "- x", "x, y", "", " a ", "é"]
)
def test_words_that_look_like_other_values_stay_words(word: str) -> None:
    yaml = (
        "name: net\ninput: [3]\nparams: {word: ~, width: 2}\nlayers: [{relu: , when: $(word == 'x')}, dense: $width]\n"
    )
    network = api.Network(parse(Source("net.yaml", yaml)), "net", None, {"word": word})
    expected = 2 if word == "$width" else word
    assert network.params["word"] == expected
    assert load_text(network.resolved_text()).params["word"] == expected
