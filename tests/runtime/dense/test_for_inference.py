"""A network rewritten for inference has fewer layers and the same outputs, to 1e-5 of the largest."""

from __future__ import annotations

from random import Random
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras import layers

import archspec
from archspec.diagnostics import Source
from archspec.graph.ir import Graph
from archspec.runtime.data.pipeline.preprocess import preprocess_values
from archspec.runtime.dense.for_inference import InferenceModel, optimize
from archspec.transforms.affine import Normalize, Scale, SubtractMean
from tests import strategies

CONVOLUTIONS = {
    "conv": "conv: {filters: 6, kernel_size: 3, use_bias: %s}",
    "grouped": "conv: {filters: 6, kernel_size: 3, groups: 2, use_bias: %s}",
    "depthwise": "depthwise_conv: {kernel_size: 3, depth_multiplier: 2, use_bias: %s}",
    "separable": "separable_conv: {filters: 6, kernel_size: 3, depth_multiplier: 2, use_bias: %s}",
    "dense": "dense: {units: 6, use_bias: %s}",
}
AFFINE = {
    "bn": "bn: {epsilon: 0.01}",
    "bn without scale": "bn: {scale: false}",
    "rescale": "rescale: {scale: [0.5, 2, 1, 3], offset: [1, 0, -1, 2]}",
    "normalize": "normalize: {mean: [1, 2, 3, 4], variance: [4, 3, 2, 1]}",
}


def network(*items: str, input: str = "[7, 9, 4]") -> archspec.Network:
    lines = "".join(f"  - {{{item}}}\n" if ":" in item else f"  - {item}\n" for item in items)
    return strategies.networks(Source("net.yaml", f"name: net\ninput: {input}\nlayers:\n{lines}"))[0]


def trained(graph: Graph, seed: int = 0) -> Any:
    """The Keras model of a graph, with weights that no layer may ignore: moving statistics, scales and biases."""
    from archspec.runtime.models.build import build_model

    generator = np.random.default_rng(seed)
    model = build_model(graph)
    for layer in model.layers:
        kept = layer.get_weights()
        layer.set_weights([each if each.ndim > 1 else generator.uniform(0.5, 1.5, each.shape) for each in kept])
    return model


def assert_same(model: Any, graph: Graph, *, most: float = 1e-5, **options: Any) -> InferenceModel:
    """The rewritten network has the outputs of the original, which is unchanged."""
    rewritten = optimize(model, graph=graph, **options)
    random = np.random.default_rng(1)
    shapes = [tuple(side or 9 for side in tensor.shape[1:]) for tensor in model.inputs]
    inputs = [random.normal(size=(2, *shape)).astype(np.float32) for shape in shapes]
    x = inputs if len(inputs) > 1 else inputs[0]
    expected = model(x, training=False)
    expected = np.asarray(expected[0] if isinstance(expected, list) else expected)
    found = np.asarray(rewritten.model(x, training=False))
    if np.isfinite(expected).all():
        assert np.abs(found - expected).max() <= most * max(np.abs(expected).max(), 1e-30)
    else:
        np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
    return rewritten


@pytest.mark.parametrize("bias", ["true", "false"])
@pytest.mark.parametrize("affine", AFFINE)
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_affine_layers_are_absorbed_from_both_sides(convolution: str, affine: str, bias: str) -> None:
    """One before the layer, one behind it: neither is left."""
    found = network(AFFINE[affine], CONVOLUTIONS[convolution] % bias, "bn", "relu", "global_avgpool")
    graph = found.graph()
    rewritten = assert_same(trained(graph), graph)
    assert {type(layer).__name__ for layer in rewritten.model.layers}.isdisjoint(
        {"BatchNormalization", "Rescaling", "Normalization"}
    )
    before = "normalize" if affine == "normalize" else affine.split()[0]
    assert f"1 {before} absorbed by the layer behind" in rewritten.rewrites
    assert "1 bn absorbed by the layer before" in rewritten.rewrites


@pytest.mark.parametrize(
    ("items", "left"),
    [
        # padding zeros are not those of the normalized values
        (["bn", "conv: {filters: 3, kernel_size: 3, padding: same}"], ["bn"]),
        (["bn", "conv: {filters: 3, kernel_size: 3, padding: [[0, 1], [0, 0]]}"], ["bn"]),
        (["bn", "conv: {filters: 3, kernel_size: 1, padding: same, strides: 2}"], []),
        (["rescale: {scale: 3}", "conv: {filters: 3, kernel_size: 3, padding: same}"], []),
        # a nonlinear layer between them
        (["conv: 3", "relu", "bn"], ["bn"]),
        # two readers
        (["name: a, conv: {filters: 4, padding: same}", "bn", "add: ~, from: [a, bn]"], ["bn"]),
        (
            ["name: a, bn: ~", "conv: {filters: 4}", "name: b, conv: {filters: 4}, from: a", "add: ~, from: [conv, b]"],
            ["a"],
        ),
        # two in a row
        (["conv: 3", "bn", "rescale: {scale: 2, offset: 1}", "bn"], []),
    ],
    ids=str,
)
def test_only_what_is_equal_is_absorbed(items: list[str], left: list[str]) -> None:
    graph = network(*items).graph()
    rewritten = assert_same(trained(graph), graph)
    names = [layer.name for layer in rewritten.model.layers]
    affine = [node.keras_name for node in graph.layers if node.op.name in ("bn", "rescale", "normalize")]
    assert [name for name in affine if name in names] == left


def test_layers_without_effect_and_chains_of_reshapes_disappear() -> None:
    found = network(
        "dropout: 0.5",
        "spatial_dropout: 0.1",
        "linear",
        "reshape: {target_shape: [63, 4]}",
        "reshape: {target_shape: [7, 9, 4]}",
        "stochastic_depth: 0.2",
        "conv: 3",
        "reshape: {target_shape: [-1, 3]}",
        "flatten",
        "reshape: {target_shape: [-1]}",
        "dense: 4",
        "softmax",
    )
    graph = found.graph()
    rewritten = assert_same(trained(graph), graph)
    assert [type(layer).__name__ for layer in rewritten.model.layers] == [
        "InputLayer",
        "Conv2D",
        "Flatten" if "flatten" in [layer.name for layer in rewritten.model.layers] else "Reshape",
        "Dense",
        "Activation",
    ]


@pytest.mark.parametrize(
    "convolution",
    [
        "name: a, conv: {filters: 6, padding: same, standardize: true, use_bias: false}",
        "name: a, conv: {filters: 6, kernel_size: 3, padding: 1, groups: 2, standardize: scaled, epsilon: 0.1}",
        "name: a, depthwise_conv: {padding: same, depth_multiplier: 2, standardize: scaled}",
    ],
)
def test_standardized_weights_become_plain_ones_and_absorb_what_is_beside_them(convolution: str) -> None:
    graph = network("rescale: 2", convolution, "bn", "global_avgpool").graph()
    rewritten = assert_same(trained(graph), graph)
    assert [type(layer).__name__ for layer in rewritten.model.layers[:-1]] == [
        "InputLayer",
        "DepthwiseConv2D" if "depthwise" in convolution else "Conv2D",
    ]
    assert rewritten.rewrites[0] == "1 standardization of weights folded into the kernel"


def test_shared_standardized_weights_become_plain_ones_once() -> None:
    graph = network(
        "name: a, conv: {filters: 4, padding: same, standardize: scaled}",
        "name: b, share: a",
        "global_avgpool",
    ).graph()
    rewritten = assert_same(trained(graph), graph)
    assert rewritten.rewrites == ("1 standardization of weights folded into the kernel",)
    assert rewritten.graph.params == 3 * 3 * 4 * 4 + 4


def test_outputs_of_layers_stay_outputs() -> None:
    """A convolution whose own output is asked for cannot absorb the normalization behind it."""
    graph = network("name: a, conv: 4", "name: b, bn: ~", "relu", "name: c, conv: 4", "name: d, bn: ~").graph()
    model = trained(graph)
    rewritten = optimize(model, graph=graph, outputs=["a", "d"])
    x = np.random.default_rng(1).normal(size=(2, 7, 9, 4)).astype(np.float32)
    expected = keras.Model(model.inputs[0], [model.output, model.get_layer("a").output, model.get_layer("d").output])
    for mine, its in zip(rewritten.model(x), expected(x), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-5)
    assert rewritten.rewrites == ("1 bn absorbed by the layer before",)


@pytest.mark.parametrize(
    ("padding", "preprocess", "absorbed"),
    [
        ("valid", (Scale(), SubtractMean((0.1, 0.2, 0.3)), Normalize((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))), True),
        ("same", (Scale(),), True),
        ("same", (Scale(), SubtractMean(0.5)), False),
    ],
)
def test_the_first_layer_absorbs_the_preprocessing(padding: str, preprocess: Any, absorbed: bool) -> None:
    import tensorflow as tf

    found = network(f"conv: {{filters: 5, padding: {padding}}}", "relu", "global_avgpool", input="[8, 9, 3]")
    graph = found.graph()
    model = trained(graph)
    rewritten = optimize(model, graph=graph, preprocess=preprocess)
    assert rewritten.input_absorbed == absorbed
    pixels = np.random.default_rng(1).uniform(0, 255, (3, 8, 9, 3)).astype(np.float32)
    x = preprocess_values(tf, pixels, (8, 9, 3), preprocess)
    expected = np.asarray(model(x))
    given = np.asarray(rewritten.model(pixels if absorbed else x))
    assert np.abs(given - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_model_of_keras_is_rewritten_too() -> None:
    inputs = keras.Input((9, 9, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, activation=None)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.ReLU()(x))))
    x = np.random.default_rng(0).normal(size=(2, 9, 9, 3)).astype(np.float32)
    rewritten = optimize(model)
    np.testing.assert_allclose(rewritten.model(x), model(x), atol=1e-6)
    assert rewritten.rewrites == ("1 bn absorbed by the layer before",)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
@example(seed=1030)  # a reshape that keeps the shape, between others
def test_random_networks_keep_their_outputs(seed: int) -> None:
    for found in strategies.networks(Source("random.yaml", strategies.spec(Random(seed))))[:1]:
        graph = found.graph()
        if None not in graph.input_shape:  # branches of a network of free size may meet at some sizes only
            assert_same(trained(graph, seed), graph, most=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", archspec.families())
def test_every_family_of_the_zoo_keeps_its_outputs(family: str) -> None:
    """The smallest variant of each, on an image of the size of its paper."""
    reference = min((each for each in archspec.networks(family)), key=lambda each: each.graph().params).reference
    graph = archspec.load(reference).graph()
    assert_same(trained(graph), graph)
