"""Layers that share weights: each computes what the first does, in every rewrite and form of the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from archspec.diagnostics import Source
from archspec.graph.diff.diff import difference
from archspec.graph.ir import Graph
from archspec.runtime.dense.convert import convolutionalize
from archspec.runtime.dense.for_inference import optimize
from archspec.runtime.from_keras import spec_of
from archspec.runtime.from_keras.model import read_model
from archspec.runtime.models.build import build_model
from tests.agreement import assert_agree
from tests.strategies import networks

GOOD = Path(__file__).parents[2] / "examples" / "good" / "shared-weights.yaml"
HEAD = "  - flatten\n  - {name: fc, dense: 7}\n  - softmax\n"


def compiled(text: str) -> Graph:
    return networks(Source("net.yaml", text))[0].graph()


@pytest.fixture(scope="module")
def graph() -> Graph:
    text = GOOD.read_text(encoding="utf-8").partition("expect:")[0].replace("  - global_avgpool\n", HEAD)
    return compiled(text)


@pytest.fixture(scope="module")
def model(graph: Graph) -> Any:
    built = build_model(graph)
    values = np.random.default_rng(0)
    built.set_weights([values.uniform(0.1, 0.6, each.shape) for each in built.get_weights()])
    return built


def pixels(*shape: int) -> Any:
    return np.random.default_rng(1).uniform(-1, 1, shape).astype("float32")


def test_keras_builds_what_the_graph_says(graph: Graph, model: Any) -> None:
    assert_agree(graph, model)


def test_a_tower_that_shares_weights_computes_what_the_first_one_does(model: Any) -> None:
    x = pixels(2, 16, 18, 3)
    part = keras.Model(model.input, [model.get_layer(name).output for name in ("pooled", "right.tower.relu")])
    pooled, right = part(x)
    first = keras.Model(model.input, model.get_layer("left.tower.relu").output)
    np.testing.assert_allclose(right, first(pooled), atol=1e-6)
    step, last = (keras.Model(model.input, model.get_layer(name).output)(x) for name in ("step", "steps.3"))
    kernel, bias = (np.asarray(each) for each in model.get_layer("step").get_weights())
    for _ in range(3):
        step = np.asarray(step) @ kernel[0, 0] + bias
    np.testing.assert_allclose(last, step, rtol=1e-5)


def test_a_model_with_shared_layers_is_read_back_with_its_weights(graph: Graph, model: Any) -> None:
    again = compiled(spec_of(model))
    assert again.params == graph.params
    assert again.macs == graph.macs
    other = build_model(again)
    assert not difference(read_model(model), again).left.params - again.params
    names = {tuple(map(tuple, (w.shape for w in layer.weights))) for layer in other.layers if layer.weights}
    assert names == {tuple(map(tuple, (w.shape for w in layer.weights))) for layer in model.layers if layer.weights}


def test_optimized_and_fully_convolutional_networks_share_the_same_weights(graph: Graph, model: Any) -> None:
    x = pixels(2, 16, 18, 3)
    expected = np.asarray(model(x))
    faster = optimize(model, graph=graph)
    np.testing.assert_allclose(faster.model(x), expected, atol=1e-5)
    dense = convolutionalize(model, graph=graph)
    assert dense.count_params() == graph.params
    np.testing.assert_allclose(np.asarray(dense(x))[:, 0, 0], expected, atol=1e-5)
    assert dense(pixels(1, 20, 19, 3)).shape == (1, 5, 2, 7)


def test_a_layer_owns_the_weights_where_their_owner_is_left_out() -> None:
    aux = "  - {name: aux, conv: 4}\n  - {name: side, global_avgpool: ~}\n"
    main = "  - {name: main, share: aux, from: input}\n  - bn\n  - {name: end, conv: 4, from: bn}\n"
    text = f"name: net\ninput: [9, 8, 4]\nlayers:\n{aux}{main}  - global_avgpool\n  - {{name: last, softmax: ~}}\n"
    graph = compiled(text + "outputs: [last, side]\n")
    model = build_model(graph)
    model.set_weights([np.random.default_rng(2).uniform(0.1, 0.5, each.shape) for each in model.get_weights()])
    x = pixels(2, 9, 8, 4)
    faster = optimize(model, graph=graph)
    assert "aux" in [layer.name for layer in faster.model.layers]
    np.testing.assert_allclose(faster.model(x), model(x)[0], atol=1e-6)


def test_a_nested_model_that_is_called_twice_is_read_as_shared_layers() -> None:
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Dense(5)]
    )
    x = keras.Input((8, 8, 3))
    flipped = keras.layers.MaxPooling2D(2, strides=1, padding="same")(x)
    model = keras.Model(x, keras.layers.Add()([inner(x), inner(flipped)]))
    network = compiled(spec_of(model))
    assert network.params == model.count_params() == 3 * 3 * 3 * 4 + 4 + 4 * 5 + 5
    assert sum(node.shared is not None for node in network.layers) == 2


def test_a_layer_is_called_with_inputs_of_several_ranks() -> None:
    dense = keras.layers.Dense(3, name="twice")
    x = keras.Input((5, 3))
    model = keras.Model(x, [dense(x), dense(keras.layers.GlobalAveragePooling1D()(x))])
    assert compiled(spec_of(model)).params == 3 * 3 + 3
