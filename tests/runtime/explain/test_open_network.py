"""Layers by path, logits in every kind of end, and gradients against finite differences."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from archspec.runtime.explain.explainer import find_method, open_network
from archspec.runtime.explain.feature_vectors import vector_layer
from archspec.runtime.explain.image_batches import ImageBatch
from archspec.runtime.models.metadata import Metadata
from tests.refusal import refused
from tests.runtime.explain.nets import finite_differences, images, opened, small_net


@pytest.mark.parametrize("end", ["softmax", "fused", "logits"])
def test_logits_come_before_the_softmax(end: str) -> None:
    model = small_net(end)
    logits, probabilities = opened(model).predict(images())
    weights = dict(zip(("kernel", "bias"), model.get_layer("scores").get_weights(), strict=True))
    features = keras.Model(model.input, model.get_layer("mean").output)(images()).numpy()
    np.testing.assert_allclose(logits, features @ weights["kernel"] + weights["bias"], atol=1e-5)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(probabilities, odds / odds.sum(1, keepdims=True), atol=1e-6)


def test_the_input_gradient_is_that_of_the_logit() -> None:
    network, x = opened(small_net()), images(1)
    score, gradient = network.input_gradient(x, np.array([2]))
    assert score[0] == pytest.approx(network.predict(x)[0][0, 2], abs=1e-6)
    places = [(0, 1, 2, 0), (0, 4, 4, 1), (0, 7, 0, 2), (0, 3, 6, 0)]

    def logit(x: Any) -> float:
        return float(network.predict(x.astype(np.float32))[0][0, 2])

    np.testing.assert_allclose([gradient[place] for place in places], finite_differences(logit, x, places), atol=5e-3)


def test_the_default_layer_is_the_last_map_after_addition_and_relu() -> None:
    network = opened(small_net())
    assert network.last_spatial.path == "act2"
    assert network.place("conv2").shape == (3, 3, 4)


def test_the_path_of_a_block_is_its_last_layer() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.ReLU(name="block.relu")(keras.layers.Conv2D(2, 3, name="block.conv")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="blocks")(keras.layers.Flatten(name="flat")(x)))
    assert opened(model, metadata=Metadata(spec="name: x")).place("block").path == "block/relu"
    misspelt = refused(lambda: opened(model, metadata=Metadata(spec="name: x")).place("blocc"))
    assert misspelt.help == "did you mean `block`?"


def test_the_remedy_of_networks_without_images_helps() -> None:
    inputs = keras.Input((20, 3))
    series = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(inputs)))
    found = refused(lambda: open_network(series, None, lambda line: None))
    assert found.code == "data-shape"
    assert "evaluate" not in (found.help or "")
    assert "images" in (found.help or "")


def test_wrong_layers_are_refused() -> None:
    network = opened(small_net())
    unknown = refused(lambda: network.place("conv3"))
    assert unknown.code == "unknown-layer"
    assert "did you mean" in (unknown.help or "")
    assert "act2 (3, 3, 4), add" in unknown.notes[0]
    assert refused(lambda: network.place("mean", spatial=True)).code == "not-spatial"


def test_layers_of_archspec_have_slashes_and_nested_models_are_opened() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="a.b")], name="inner")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(inner(inputs))))
    assert opened(model).last_spatial.path == "inner/a.b"
    assert opened(model, metadata=Metadata(spec="name: x")).place("inner/a/b").shape == (6, 6, 2)


def test_networks_with_other_inputs_and_ends_are_refused() -> None:
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    model = keras.Model([one, two], keras.layers.Add()([one, two]))
    assert refused(lambda: opened(model)).code == "several-inputs"
    tanh = keras.Model(one, keras.layers.Dense(3, activation="tanh")(keras.layers.Flatten()(one)))
    network = opened(tanh)
    assert refused(lambda: network.predict(images())).code == "no-classifier"


def test_a_network_of_a_head_alone_names_a_layer() -> None:
    """Its maps are all part of the head that computes the scores."""
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(2, 1, name="scores")(keras.layers.Conv2D(4, 3, name="first")(inputs))
    network = opened(keras.Model(inputs, keras.layers.Softmax()(maps)))
    found = refused(lambda: network.last_spatial)
    assert (found.code, found.help) == ("not-spatial", "name one with `layer`, such as `first`")
    assert "part of the head" in found.message


def test_a_single_sigmoid_unit_stands_for_two_classes() -> None:
    inputs = keras.Input((8, 8, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    unit = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling2D()(features))
    model = keras.Model(inputs, unit)
    network = opened(model, ("no", "yes"))
    assert network.classes == 2
    logits, probabilities = network.predict(images())
    expected = model.predict(images(), verbose=0)
    np.testing.assert_allclose(probabilities, np.concatenate([1 - expected, expected], 1), atol=1e-6)
    np.testing.assert_allclose(logits[:, 1], np.log(expected / (1 - expected))[:, 0], atol=1e-5)
    no, yes = (network.input_gradient(images(), np.full(2, number))[1] for number in (0, 1))
    np.testing.assert_allclose(no, -yes)
    assert np.abs(yes).max() > 0


def test_features_and_numbers_are_not_taken_for_classes() -> None:
    inputs = keras.Input((8, 8, 3))
    features = keras.layers.ReLU(name="last")(keras.layers.Conv2D(4, 3)(inputs))
    number = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(features))
    for outputs in (features, number):
        network = opened(keras.Model(inputs, outputs))
        assert network.last_spatial.path == "last"  # `features` works
        assert vector_layer(network, None).call == network.graph.outputs[0][0]  # and `embedding`
        assert refused(lambda network=network: network.targets(("top-1",))).code == "no-classifier"  # type: ignore[misc]


def test_functions_are_compiled_once_for_any_chosen_classes() -> None:
    network = opened(small_net())
    gradcam = {name: find_method("gradcam", {"classes": list(name)}) for name in (("red", "blue"), ("blue", "green"))}
    given = images()
    batch = ImageBatch(("a", "b"), (None, None), np.zeros(given.shape, np.uint8), given)
    found = {name: method.explain_batch(network, batch) for name, method in gradcam.items()}
    assert [panel.numbers["class"] for panel in found["blue", "green"][0].panels] == ["blue", "green"]
    np.testing.assert_allclose(found["red", "blue"][1].panels[1].values, found["blue", "green"][1].panels[0].values)
    (function,) = network._functions.values()
    assert function.experimental_get_tracing_count() == 1
