"""Weights of files of archspec and Keras reach the right layers: the outputs are those of the model they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.weights import load_weights
from tests.runtime.weights.random_weights import randomize
from tests.runtime.weights.small_network import SPEC, same


@pytest.mark.parametrize(("suffix", "write"), [(".keras", "save"), (".weights.h5", "save_weights")])
def test_own_files_are_matched_by_name(suffix: str, write: str, trained: Any, spec: str, tmp_path: Path) -> None:
    path = tmp_path / f"small{suffix}"
    getattr(trained, write)(path)
    model = archspec.load(spec).build()
    matching = load_weights(model, path)
    assert matching.how == "by name"
    assert "6 conv, 1 param, 4 bn, 2 depthwise, 1 norm, 2 dense" in matching.describe("small")
    same(model, trained)


def foreign() -> Any:
    """The network of the spec as someone else writes it: fused activations, sums the other way round, nested."""
    layers = keras.layers

    def unit(x: Any, strides: int) -> Any:
        short = x
        if strides > 1:
            short = layers.BatchNormalization()(layers.Conv2D(8, 1, strides, use_bias=False)(x))
        y = layers.Conv2D(8, 3, strides, use_bias=False)(layers.ZeroPadding2D()(x))
        y = layers.Activation("relu")(layers.BatchNormalization()(y))
        y = layers.DepthwiseConv2D((3, 1), padding="same")(y)
        return layers.Add()([layers.Conv2D(8, 1, groups=2)(y), short])

    x = inputs = keras.Input((9, 7, 3))
    x = layers.PReLU(shared_axes=(1, 2))(layers.Conv2D(8, (3, 1))(x))
    x = layers.LayerNormalization()(unit(unit(x, 2), 1))
    top = keras.Sequential([layers.Flatten(), layers.BatchNormalization(), layers.Dense(10, activation="relu")])
    return keras.Model(inputs, layers.Dense(6, activation="softmax")(top(x)))


@pytest.mark.parametrize(("suffix", "how"), [(".keras", "by graph"), (".h5", "by graph")])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")  # on purpose
def test_a_keras_model_is_matched_by_its_graph(suffix: str, how: str, spec: str, tmp_path: Path) -> None:
    other = randomize(foreign(), 3)
    other.save(tmp_path / f"foreign{suffix}")
    model = archspec.load(spec).build()
    assert load_weights(model, tmp_path / f"foreign{suffix}").how == how
    same(model, other)


def test_layers_that_compute_something_else_in_the_model_of_the_file_are_named(tmp_path: Path) -> None:
    layers = keras.layers

    def model(epsilon: float, strides: int = 1) -> Any:
        norms = [layers.BatchNormalization(epsilon=epsilon, name=name) for name in ("b1", "b2")]
        conv = layers.Conv2D(4, 3, strides, padding="same", name="c")
        return keras.Sequential([keras.Input((8, 8, 3)), conv, *norms])

    here = model(1e-5)
    model(1.001e-5).save(tmp_path / "same.keras")
    assert load_weights(here, tmp_path / "same.keras").different == ()
    model(1e-3, 2).save(tmp_path / "x.keras")
    found = load_weights(here, tmp_path / "x.keras")
    first = "`strides` of `c` is (2, 2) there, (1, 1) here"
    assert found.different == (first, "`epsilon` of `b1`, `b2` is 0.001 there, 1e-05 here")
    assert f"the network of the file differs: {first}" in found.describe("x.keras")


def test_a_graph_that_is_wired_otherwise_does_not_match(spec: str, tmp_path: Path) -> None:
    """The same layers in the same order, but the second unit without its shortcut."""
    text = SPEC.replace("unit: 8, repeat: 2", "unit: 8, repeat: 1").replace(
        "  - layer_norm",
        "  - conv: {filters: 8, kernel_size: 3, padding: 1, use_bias: false}\n  - bn\n  - relu\n"
        "  - depthwise_conv: {kernel_size: [3, 1], padding: same}\n"
        "  - conv: {filters: 8, kernel_size: 1, groups: 2}\n  - layer_norm",
    )
    (tmp_path / "other.yaml").write_text(text)
    model = archspec.load(str(tmp_path / "other.yaml")).build()
    model.save(tmp_path / "other.keras")
    assert load_weights(archspec.load(spec).build(), tmp_path / "other.keras").how != "by graph"


@pytest.mark.slow
def test_a_weight_file_of_keras_applications_is_read_through_its_function(tmp_path: Path) -> None:
    """By order alone, the shortcut's kernels would stand before those of the third convolution."""
    other = randomize(keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=5))
    other.save_weights(tmp_path / "resnet50_like.weights.h5")
    model = archspec.load("resnet-keras:50", input=[32, 32, 3], classes=5).build()
    assert load_weights(model, tmp_path / "resnet50_like.weights.h5").how == "by graph"
    x = np.random.default_rng(1).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(model(x), other(x), atol=1e-6)


@pytest.mark.parametrize("axis", [-1, None])
def test_statistics_of_the_input_that_the_spec_does_not_have_are_named(axis: int | None, tmp_path: Path) -> None:
    """They are arguments of `normalize` in a spec, so that a file cannot set them."""
    inputs = keras.Input((4, 4, 3))
    normalization = keras.layers.Normalization(axis, name="stats")
    normalization.adapt(np.random.default_rng(0).normal(3, 2, (9, 4, 4, 3)))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(normalization(inputs)))
    source = keras.Model(inputs, outputs)
    source.save(tmp_path / "x.keras")
    (tmp_path / "same.yaml").write_text(archspec.from_keras(source))
    (tmp_path / "none.yaml").write_text("name: none\ninput: [4, 4, 3]\nlayers: [flatten, dense: 2]\n")
    for name, unused in (("same", []), ("none", ["stats"])):
        matching = load_weights(archspec.load(str(tmp_path / f"{name}.yaml")).build(), tmp_path / "x.keras")
        assert [unit.name for unit in matching.unused] == unused


def test_a_file_with_lora_gives_the_kernels_that_it_computes_with(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((5, 5, 2)), keras.layers.Conv2D(3, 2), keras.layers.Flatten()])
    model.add(keras.layers.Dense(4))
    for layer in (model.layers[0], model.layers[2]):
        layer.enable_lora(2)
    for variable in model.trainable_variables:
        variable.assign(np.random.default_rng(len(variable.shape)).normal(size=variable.shape))
    model.save(tmp_path / "lora.keras")
    (tmp_path / "net.yaml").write_text(archspec.from_keras(model))
    x = np.ones((1, 5, 5, 2), "float32")
    found = archspec.load(str(tmp_path / "net.yaml")).build(weights=str(tmp_path / "lora.keras"))(x)
    np.testing.assert_allclose(found, model(x), rtol=1e-5)


def test_a_quantized_keras_file_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    (tmp_path / "net.yaml").write_text(archspec.from_keras(model))
    model.layers[0].quantize("int8")
    model.save(tmp_path / "int8.keras")
    with pytest.raises(ArchspecError, match="weights-quantized"):
        archspec.load(str(tmp_path / "net.yaml")).build(weights=str(tmp_path / "int8.keras"))
