"""An operator of several Keras layers with weights: built, initialized, frozen, saved and matched like any other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.declare import POSITIVE, arg, declared
from archspec.ops import OPS, Op, Weight
from archspec.ops.base import Layer, Shape
from archspec.runtime.weights.freeze import freeze, rate_factors

SPEC = """
name: net
input: [6, 5, 3]
layers: [{name: first, gated: 4}, {name: last, gated: 2}, flatten, {dense: 2}]
train:
  init: {gated: {constant: 0.5}, first: {bias: ones}, last: {gate/bias: {constant: 2}}}
"""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[archspec.Network]:
    @declared
    class Gated(Op):
        """A 1x1 convolution times the sigmoid of another.

        Shapes: (H, W, C) -> (H, W, filters).
        Weights: gate/kernel, kernel (1, 1, C, filters); gate/bias, bias (filters,).
        """

        name = "gated"
        examples = (({"filters": 5}, [(4, 3, 2)]),)

        filters: int = arg(POSITIVE, "output channels")

        def shape(self, *inputs: Shape) -> Shape:
            return (*inputs[0][:-1], self.filters)

        def weights(self, *inputs: Shape) -> tuple[Weight, ...]:
            kernel = (1, 1, inputs[0][-1] or 0, self.filters)
            parts = ("gate/", "value/")
            return tuple(
                Weight(f"{part}{name}", shape)
                for part in parts
                for name, shape in (("kernel", kernel), ("bias", (self.filters,)))
            )

        def build(self, keras: Any, name: str) -> Layer:
            def call(x: Any) -> Any:
                gate = keras.layers.Conv2D(self.filters, 1, name=f"{name}.gate")(x)
                value = keras.layers.Conv2D(self.filters, 1, name=f"{name}.value")(x)
                return keras.layers.Multiply(name=name)([value, keras.ops.sigmoid(gate)])

            return call

    (tmp_path / "net.yaml").write_text(SPEC)
    yield archspec.load(str(tmp_path / "net.yaml"))
    del OPS.imported["gated"]


def test_the_graph_counts_the_weights_that_keras_builds(network: archspec.Network) -> None:
    graph, model = network.graph(), network.build()
    assert model.count_params() == graph.params
    node = graph["first"]
    built = [weight for name in node.weighted_layers for weight in model.get_layer(name).weights]
    assert [tuple(each.shape) for each in built] == [weight.shape for weight in node.facts.weights]


def test_rules_for_its_weights_reach_every_layer(network: archspec.Network) -> None:
    model, graph = network.build(init=True), network.graph()
    for name, bias in (("first.gate", 1), ("first.value", 1), ("last.gate", 2), ("last.value", 0)):
        kernel, drawn = model.get_layer(name).get_weights()
        assert (kernel == 0.5).all()
        assert (drawn == bias).all()
    paths = [variable.path for variable in model.trainable_variables]
    factors = dict(zip(paths, rate_factors(model, graph, {"last": 3}), strict=True))
    assert {path for path, factor in factors.items() if factor == 3} == {
        f"last.{part}/{name}" for part in ("gate", "value") for name in ("kernel", "bias")
    }
    assert freeze(model, graph, ["first"]) == 1
    assert {variable.path.split("/")[0] for variable in model.trainable_variables} == {
        "last.gate", "last.value", "dense",
    }  # fmt: skip


def test_its_weights_are_saved_and_matched(network: archspec.Network, tmp_path: Path) -> None:
    model, again = network.build(), network.build()
    model.save(tmp_path / "net.keras")
    archspec.load_weights(again, tmp_path / "net.keras")
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3))
    np.testing.assert_array_equal(model(x), again(x))
    assert isinstance(keras.saving.load_model(tmp_path / "net.keras"), keras.Model)
