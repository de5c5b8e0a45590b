"""Preprocessing inside a Keras model: slices and arithmetic become operators, random layers are left out by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.from_keras.operations import LEFT_OUT

X = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype("float32")
ONE, TWO = (np.array(values, "float32") for values in ([1, 2, 3], [4, 5, 6]))


def model_of(function: Callable[[Any], Any]) -> Any:
    entry = keras.Input((8, 8, 3))
    return keras.Model(entry, layers.Flatten()(function(entry)))


def spec_of(model: Any, folder: Path) -> tuple[str, Any]:
    """The text of the spec, and the outputs of its network."""
    text = archspec.from_keras(model)
    (folder / "net.yaml").write_text(text)
    return text, archspec.load(str(folder / "net.yaml")).build()(X)


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "resnet_v2", "densenet", "efficientnet", "xception"])
def test_preprocess_input_of_keras_applications(name: str, tmp_path: Path) -> None:
    """K02."""
    model = model_of(getattr(keras.applications, name).preprocess_input)
    text, found = spec_of(model, tmp_path)
    np.testing.assert_allclose(found, model(X), rtol=1e-4, atol=1e-4)
    assert ("select_channels: [2, 1, 0]" in text) == (name in ("resnet50", "vgg16"))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[..., ::-1],
        lambda x: x[:, :, :, ::2],
        lambda x: x[:, 1:-1, 2:],
        lambda x: x[..., :2],
        lambda x: x[:, 0],
        lambda x: x[:, -1, 2],
        lambda x: x[..., 1],
        lambda x: ops.flip(x, -1),
        lambda x: ops.take(x, [2, 0], axis=-1),
        lambda x: ops.stack([x[..., i] for i in (1, 2, 0)], axis=-1),
        lambda x: -ops.cast(x, "float32"),
        lambda x: 1 - x / 2.0,
        lambda x: ops.subtract(ONE, x),
        lambda x: (x - ONE) / TWO,
    ],
)
def test_slices_and_arithmetic_become_operators(function: Callable[[Any], Any], tmp_path: Path) -> None:
    model = model_of(function)
    np.testing.assert_allclose(spec_of(model, tmp_path)[1], model(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("function", [lambda x: x[None, :], lambda x: x[1:, ...]])
def test_what_no_operator_does_is_refused_by_name(function: Callable[[Any], Any]) -> None:
    with pytest.raises(ArchspecError, match="GetItem") as caught:
        archspec.from_keras(model_of(function))
    assert caught.value.diagnostics[0].code == "unknown-keras-layer"


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("RandomCrop",), (8, 8)),
    **dict.fromkeys(("RandomPosterization", "RandomColorDegeneration", "RandomContrast", "RandomHue"), (0.3,)),
    **dict.fromkeys(
        ("RandomBrightness", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomZoom"), (0.3,)
    ),
    **dict.fromkeys(("AlphaDropout", "GaussianDropout", "GaussianNoise"), (0.3,)),
    "RandomPosterization": (2,),
    "RandomTranslation": (0.3, 0.3),
    "MaxNumBoundingBoxes": (3,),
}


def test_layers_without_effect_at_inference_are_left_out_and_named(tmp_path: Path) -> None:
    """K03. Keras itself shows that they have none; `RandomHeight` and `RandomWidth` are not in Keras 3."""
    names = [name for name in LEFT_OUT if hasattr(layers, name)]
    assert len(names) >= 28
    random = {name for name in dir(layers) if name.startswith("Random")}
    assert random <= set(names)
    for name in names:
        layer = getattr(layers, name)(*ARGUMENTS.get(name, ()))
        model = keras.Sequential([keras.Input((8, 8, 3)), layer, layers.Flatten()])
        np.testing.assert_allclose(model(X, training=False), X.reshape(2, -1), rtol=1e-4, err_msg=name)
        text, found = spec_of(model, tmp_path)
        np.testing.assert_array_equal(found, X.reshape(2, -1))
        # `Equalization` gives its input as its output, so that it is no part of the graph of a model
        assert f"({name})" in text.splitlines()[1] or name == "Equalization"


def test_a_random_crop_to_another_size_is_refused() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.RandomCrop(4, 4), layers.Flatten()])
    with pytest.raises(ArchspecError, match="changes the size of the image at inference"):
        archspec.from_keras(model)


def test_settings_of_layers_that_only_training_uses_are_named() -> None:
    convs = [layers.Conv2D(2, 1, kernel_regularizer="l2", name=f"c{number}") for number in range(5)]
    convs[0].kernel_constraint = keras.constraints.MaxNorm()
    model = keras.Sequential([keras.Input((8, 8, 3)), *convs, layers.BatchNormalization(name="b")])
    convs[1].trainable = False
    assert archspec.from_keras(model).splitlines()[1] == (
        "# Left out, without effect at inference: `kernel_regularizer` of `c0`, `c1`, `c2` and 2 more, "
        "`kernel_constraint` of `c0`, `trainable=False` of `c1`"
    )
