"""Networks with several inputs and outputs, or without classes: named signatures, compared output by output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.export.network import together
from archspec.runtime.export.read_network import read_network
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model

VALUES = {"dtype": "float32", "content": "values"}
INPUTS = {"image": {**VALUES, "shape": [None, 12, 14, 3]}, "numbers": {**VALUES, "shape": [None, 5]}}
OUTPUTS = {
    "mask": {"dtype": "float32", "shape": [None, 12, 14, 2]},
    "label": {"dtype": "float32", "shape": [None, 3]},
}


def signatures(done: archspec.Export) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((done.path / "export.json").read_text())["signatures"]
    return found


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("format", "options"),
    [("savedmodel", {"optimize": True}), ("litert", {}), ("keras", {"precision": "bfloat16"})],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_inputs_and_outputs_have_the_names_of_the_spec(
    two_of_each: Path, tmp_path: Path, format: str, options: dict[str, Any]
) -> None:
    done = archspec.export(two_of_each, tmp_path / "e", format=format, **options)
    assert signatures(done) == {"serving_default": {"inputs": INPUTS, "outputs": OUTPUTS}}
    assert done.verification is not None
    assert done.verification.differences.keys() == OUTPUTS.keys()
    assert 0 <= max(done.verification.differences.values()) == done.largest_difference
    assert (done.verification.top1_agreement, done.verification.images) == (None, "33 generated inputs (seed 0)")
    why = "without serve_images: the network has the inputs `image`, `numbers`"
    assert done.notes == ((why,) if format == "savedmodel" else ())
    assert "of label" in str(done)


@pytest.mark.slow
def test_every_format_of_several_inputs_is_equal_in_a_fresh_process(two_of_each: Path, tmp_path: Path) -> None:
    """Nothing is refused but int8, and what is slower on this machine."""
    table = archspec.export_all(two_of_each, tmp_path)
    assert {each.format for each in table.exports} == {"savedmodel", "onnx", "litert", "keras"}
    assert all("times as long" in each.reason for each in table.refused)
    for each in table.exports:
        assert signatures(each)["serving_default"] == {"inputs": INPUTS, "outputs": OUTPUTS}


@pytest.mark.usefixtures("in_this_process")
def test_an_output_that_differs_is_named(two_of_each: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the scale of the output itself: 1 % of a small one is too much."""
    from archspec.runtime.export.keras_file import KerasFile

    runner = KerasFile.runner.read_text().replace(
        "np.asarray(value, np.float32)", "np.float32(value) * (1 + (name == 'label') / 100)"
    )
    (tmp_path / "runner.py").write_text(runner)
    monkeypatch.setattr(KerasFile, "runner", tmp_path / "runner.py")
    with pytest.raises(ArchspecError, match=r"differ .* by up to 1\.0e-02 in `serving_default/label`"):
        archspec.export(two_of_each, tmp_path / "e", format="keras")
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dense": True}, "`dense=True` does not apply to a network that has the outputs `mask`, `label`"),
        ({"outputs": ["encoder"]}, "`outputs` does not apply to a network that has the outputs `mask`, `label`"),
        ({"input_size": 16}, "`input_size` does not apply to a network that has the inputs `image`, `numbers`"),
        ({"data": "digits"}, "`data` does not apply to a network that has the inputs `image`, `numbers`"),
        (
            {"precision": "int8", "format": "litert"},
            '`precision="int8"` does not apply to a network that has the outputs `mask`, `label`',
        ),
    ],
)
def test_options_that_do_not_apply_are_refused_before_anything_is_written(
    two_of_each: Path, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArchspecError, match="not-exportable") as caught:
        archspec.export(two_of_each, tmp_path / "e", **options)
    assert said in caught.value.diagnostics[0].message
    assert not (tmp_path / "e").exists()


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("format", ["keras", pytest.param("savedmodel", marks=pytest.mark.slow)])
def test_an_image_becomes_a_map(map_model: Path, tmp_path: Path, format: str) -> None:
    """A SavedModel takes image files too; images of a data source are compared without their labels."""
    chosen = {"optimize": True, "data": "digits", "images": 20, "outputs": ["first"]}
    done = archspec.export(map_model, tmp_path / "e", format=format, **chosen)  # type: ignore[arg-type]
    found = signatures(done)
    assert list(found["serving_default"]["inputs"]) == ["images"]
    assert found["serving_default"]["outputs"]["probabilities"] == {"dtype": "float32", "shape": [None, 14, 12, 2]}
    if format == "savedmodel":
        assert list(found) == ["serving_default", "serve_images", "features"]
        assert found["serving_default"]["outputs"] == found["serve_images"]["outputs"]
    assert done.verification is not None
    assert (done.verification.images, done.verification.top1) == ("20 images of digits", None)
    assert done.verification.differences.keys() == {"probabilities", "first"}


def test_another_size_of_a_map(map_model: Path) -> None:
    from archspec.runtime.export.variants import at_input_size

    network = at_input_size(read_network(map_model), 18)
    assert network.output_shapes == {"probabilities": (32, 32, 2)}
    assert network.metadata.resize == 20


def test_outputs_of_keras_models_have_the_keys_of_their_dictionary(tmp_path: Path) -> None:
    """A dictionary of inputs and outputs is taken apart; equal heads are outputs, not auxiliary classifiers."""
    inputs = {"my-left": keras.Input((4, 3), name="my-left"), "class": keras.Input((6,), name="class")}
    left = keras.layers.Flatten()(inputs["my-left"])
    x = keras.layers.Concatenate()([left, inputs["class"]])
    outputs = {"a": keras.layers.Dense(3, name="color")(x), "b": keras.layers.Dense(3, name="shape")(x)}
    save_model(keras.Model(inputs, outputs), tmp_path / "m.keras", Metadata())
    network = read_network(tmp_path / "m.keras")
    assert network.input_shapes == {"input_class": (6,), "my_left": (4, 3)}
    assert network.output_shapes == {"a": (3,), "b": (3,)}
    rng = np.random.default_rng(0)
    given = {"my_left": rng.random((5, 4, 3), np.float32), "input_class": rng.random((5, 6), np.float32)}
    found = network.values(together(given))
    both = np.concatenate([given["my_left"].reshape(5, 12), given["input_class"]], axis=1)
    for layer, value in zip(("color", "shape"), (found["a"], found["b"]), strict=True):
        kernel, bias = (np.asarray(each) for each in network.whole.get_layer(layer).weights)
        np.testing.assert_allclose(value, both @ kernel + bias, atol=1e-6)


def test_features_of_series_have_no_classes(tmp_path: Path) -> None:
    inputs = keras.Input((20, 2), name="signal")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(4, 3)(inputs))
    save_model(keras.Model(inputs, pooled), tmp_path / "m.keras", Metadata())
    done = archspec.export(tmp_path / "m.keras", tmp_path / "e", format="keras", verify=False)
    (signature,) = signatures(done).values()
    assert signature == {
        "inputs": {"signal": {**VALUES, "shape": [None, 20, 2]}},
        "outputs": {"values": {"dtype": "float32", "shape": [None, 4]}},
    }


def test_keys_of_outputs_that_are_names_of_other_layers_are_not_exchanged(tmp_path: Path) -> None:
    entry = keras.Input((5,))
    first, second = keras.layers.Dense(2, name="b")(entry), keras.layers.Dense(3, name="a")(entry)
    keras.Model(entry, {"a": first, "b": second}).save(tmp_path / "exchanged.keras")
    assert read_network(tmp_path / "exchanged.keras").output_shapes == {"a": (2,), "b": (3,)}
