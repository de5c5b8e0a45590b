"""Files of Keras 2 become models of Keras 3 with the same outputs. The expected outputs are those of Keras 2."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.models.keras2.config import UnknownLayerError, build
from archspec.runtime.models.model_file import load_model
from archspec.runtime.weights import load_weights

FILES = Path(__file__).parent / "keras2"
EXPECTED = np.load(FILES / "expected.npz")
NAMES = ["functional.h5", "functional.keras", "lambdas.h5", "nested.h5", "nested.keras"]


def outputs(model: Any) -> Any:
    return model.predict(EXPECTED["x"], verbose=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_keras_2_has_the_outputs_of_keras_2(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, metadata = load_model(FILES / name)
    np.testing.assert_allclose(outputs(model), EXPECTED[name.partition(".")[0]], rtol=1e-4, atol=1e-5)
    assert metadata.spec is None


@pytest.mark.parametrize("name", NAMES)
def test_its_spec_takes_its_weights(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(archspec.from_keras(FILES / name))
    for source in (name, "nested_weights.h5") if "nested" in name else (name,):
        model = archspec.load(str(tmp_path / "net.yaml")).build(weights=FILES / source)
        np.testing.assert_allclose(outputs(model), EXPECTED[name.partition(".")[0]], rtol=1e-4, atol=1e-5)


def test_contents_tell_the_format_whatever_the_name(tmp_path: Path) -> None:
    for name in ("functional.h5", "functional.keras"):
        shutil.copy(FILES / name, tmp_path / "model")
        np.testing.assert_allclose(outputs(load_model(tmp_path / "model")[0]), EXPECTED["functional"], rtol=1e-4)


def changed(path: Path, old: str, new: str) -> Path:
    """A copy of functional.h5 with another configuration."""
    shutil.copy(FILES / "functional.h5", path)
    with h5py.File(path, "a") as file:
        config = file.attrs["model_config"]
        assert old in config
        file.attrs["model_config"] = config.replace(old, new)
    return path


@pytest.mark.parametrize(
    ("old", "new", "code", "fact"),
    [
        ('"LeakyReLU"', '"Swoosh"', "custom-layer", "the layer `leaky` (Swoosh)"),
        ('"LeakyReLU"', '"Lambda"', "model-unsafe", "contains Python code"),
        ('"LeakyReLU"', '"my>Gate"', "custom-layer", "my>Gate"),
        ('"inbound_nodes": [[["bn"', '"inbound_nodes": [[["nothing"', "not-a-model", "does not exist"),
        ('"filters": 2', '"filters": 50000000', "not-a-model", "larger than the file"),
        ('"layers": [', '"layers": null, "x": [', "not-a-model", "functional"),
        ('"scale": 0.00784', '"zoom": 2, "scale": 0.00784', "not-a-model", "no argument `zoom`"),
    ],
)
def test_what_cannot_be_built_is_named(old: str, new: str, code: str, fact: str, tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        load_model(changed(tmp_path / "functional.h5", old, new))
    assert caught.value.diagnostics[0].code == code
    assert fact in str(caught.value)
    assert caught.value.diagnostics[0].help


def test_weights_alone_are_no_model() -> None:
    with pytest.raises(ArchspecError, match="has weights, but not the model that they belong to"):
        archspec.from_keras(FILES / "nested_weights.h5")


def test_missing_weights_are_named(tmp_path: Path) -> None:
    shutil.copy(FILES / "functional.h5", tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["model_weights/dw"]
    with pytest.raises(ArchspecError, match="no weights of the layer `dw`"):
        load_model(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("config", "fact"),
    [
        (None, "no configuration"),
        ([], "no configuration"),
        ({"class_name": "Functional", "config": {"layers": None}}, "no list of layers"),
        ({"class_name": "Functional", "config": None}, "no configuration"),
        ({"class_name": "Sequential", "config": []}, "cannot be loaded"),
    ],
)
def test_a_model_file_without_a_network(config: Any, fact: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    with pytest.raises(ArchspecError, match=fact) as caught:
        load_model(tmp_path / "x.keras")
    assert caught.value.diagnostics[0].code == "not-a-model"


def rewritten(path: Path, old: bytes, new: bytes) -> Path:
    """A copy of a model file of Keras 3 with another configuration."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(path.with_name("changed.keras"), "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(old, new) if name == "config.json" else data)
    return path.with_name("changed.keras")


def test_a_configuration_larger_than_its_weights_is_refused_before_it_is_built(tmp_path: Path) -> None:
    import keras

    path = tmp_path / "x.keras"
    keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(7, 3), keras.layers.Flatten()]).save(path)
    with pytest.raises(ArchspecError, match=r"3x3x3x700000000 is larger than the file"):
        load_model(rewritten(path, b'"filters": 7', b'"filters": 700000000'))
    with pytest.raises(ArchspecError, match="more than 2,000,000 values"):
        load_model(rewritten(path, b'"filters": 7', b'"filters": [' + b"{}," * 3_000_000 + b"{}]"))


def test_a_class_of_its_own_is_named(tmp_path: Path) -> None:
    import keras

    path = tmp_path / "x.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    path = rewritten(
        path, b'"module": "keras.layers", "class_name": "Dense"', b'"module": "my.net", "class_name": "Gate"'
    )
    with pytest.raises(ArchspecError, match=r"not in Keras: `my\.net\.Gate`") as caught:
        load_model(path)
    assert caught.value.diagnostics[0].code == "custom-layer"


def test_damaged_hdf5_is_named(tmp_path: Path) -> None:
    """H05: flipped bits, wherever they are, end in one error or leave the weights readable."""
    data = bytearray((FILES / "nested_weights.h5").read_bytes())
    random = np.random.default_rng(0)
    model = archspec.load(str(_spec(tmp_path))).build()
    codes = set()
    for _ in range(60):
        broken = data.copy()
        for place in random.integers(0, len(broken), 40):
            broken[place] ^= 1 << int(random.integers(8))
        (tmp_path / "x.h5").write_bytes(bytes(broken))
        try:
            load_weights(model, tmp_path / "x.h5")
        except ArchspecError as error:
            codes.add(error.diagnostics[0].code)
    assert codes <= {"weights-damaged", "not-weights", "weights-mismatch"}
    assert "weights-damaged" in codes


def _spec(folder: Path) -> Path:
    (folder / "nested.yaml").write_text(archspec.from_keras(FILES / "nested.h5"))
    return folder / "nested.yaml"


def resizing(**arguments: Any) -> Any:
    """A configuration of Keras 2 with `tf.image.resize`, as `model.save` of TensorFlow 2.15 writes it."""
    layers = [
        {
            "class_name": "InputLayer",
            "config": {"name": "x", "batch_input_shape": [None, 6, 4, 3]},
            "inbound_nodes": [],
        },
        {
            "class_name": "TFOpLambda",
            "config": {"name": "tf.image.resize", "function": "image.resize"},
            "inbound_nodes": [["x", 0, 0, {"size": [9, 3], **arguments}]],
        },
    ]
    for layer in layers:
        layer["name"] = layer["config"]["name"]  # type: ignore[index]
    places = {"input_layers": [["x", 0, 0]], "output_layers": [["tf.image.resize", 0, 0]]}
    return build({"class_name": "Functional", "config": {"name": "net", "layers": layers, **places}})


@pytest.mark.parametrize("arguments", [{}, {"method": "nearest"}, {"method": "bicubic", "antialias": True}])
def test_images_are_resized_as_by_tensorflow(arguments: dict[str, Any]) -> None:
    import tensorflow as tf

    x = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype("float32")
    np.testing.assert_allclose(resizing(**arguments)(x), tf.image.resize(x, (9, 3), **arguments), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        ({"method": "area"}, "no method `area`"),
        ({"preserve_aspect_ratio": True}, "no argument `preserve_aspect_ratio`"),
        ({"size": 9}, "not a height and a width"),
    ],
)
def test_a_resizing_that_keras_3_does_not_have_is_named(arguments: dict[str, Any], fact: str) -> None:
    with pytest.raises(UnknownLayerError, match=fact):
        resizing(**arguments)
