"""One small trained network, exported in every format, loaded by processes without archspec."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.export.calibration import calibration_images
from archspec.runtime.export.check_images import balanced, check_images
from archspec.runtime.export.export_format import WriteOptions
from archspec.runtime.export.read_network import features_of, read_network
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from tests.runtime.export.exports import described


def test_versions_are_added_and_the_newest_is_replaced(run: Path, tmp_path: Path) -> None:
    """Of one format; what archspec did not write stays."""
    out = tmp_path / "deep" / "saved"
    lines: list[str] = []
    first = archspec.export(run, out, format="keras", verify=False, report=lines.append)
    assert lines == ["writing keras float32"]
    again = archspec.export(run, out, format="keras", verify=False)
    assert [first.path, again.path] == [out / "1", out / "2"]
    assert (described(out / "1")["verified"], first.verification, first.largest_difference) == (False, None, None)
    before = (out / "1" / "export.json").stat().st_mtime_ns, (out / "2" / "export.json").stat().st_mtime_ns
    replaced = archspec.export(run, out, format="keras", verify=False, overwrite=True)
    assert replaced.path == out / "2"
    assert (out / "1" / "export.json").stat().st_mtime_ns == before[0]
    assert (out / "2" / "export.json").stat().st_mtime_ns > before[1]
    assert sorted(path.name for path in out.iterdir()) == ["1", "2"]
    for format, place in (("savedmodel", out), ("keras", run), ("keras", run / "spec.yaml"), ("savedmodel", out / "1")):
        with pytest.raises(ArchspecError, match="output-exists"):
            archspec.export(run, place, format=format, overwrite=True)
    with pytest.raises(ArchspecError, match="is an export, not a Keras model"):
        archspec.evaluate(out, "digits")


@pytest.mark.slow
def test_a_saved_model_is_described_and_measured(run: Path, tmp_path: Path) -> None:
    """The accuracy is that of `archspec evaluate`; features are those of the Keras layers."""
    done = archspec.export(run, tmp_path / "saved", data="digits", images=450, outputs=["grouped"])
    found = done.verification
    assert found is not None
    assert found.top1 == found.model_top1 == archspec.evaluate(run, "digits").top1
    assert (found.top1_agreement, found.images) == (1.0, "450 images of digits")
    assert [each.batch for each in found.latencies] == [1, 32]
    sizes = [np.prod(shape) for name, shape in tf.train.list_variables(str(done.path / "variables" / "variables"))[1:]]
    assert sum(sizes) == keras.saving.load_model(run / "best.keras").count_params()  # each weight is stored once
    description = described(done.path)
    assert description["class_names"] == list("0123456789")
    assert description["verification"]["top1"] == found.top1
    assert list(description["signatures"]) == ["serving_default", "serve_images", "features"]
    features = description["signatures"]["features"]
    assert features["inputs"]["images"] == {
        "dtype": "float32",
        "shape": [None, 8, 8, 1],
        "content": "preprocessed",
    }
    assert features["outputs"]["grouped"]["shape"] == [None, 6, 6, 8]
    assert "largest difference" in str(done)


def test_a_keras_file_is_equal(run: Path, tmp_path: Path) -> None:
    done = archspec.export(run, tmp_path / "k", format="keras", outputs=["first"])
    assert done.largest_difference is not None
    assert done.largest_difference < 1e-6
    assert list(described(done.path)["signatures"]["serving_default"]["outputs"]) == ["probabilities", "first"]
    assert keras.saving.load_model(done.path / "model.keras").count_params() > 0


@pytest.mark.parametrize("name", ["onnx_export", "litert_export"])
def test_files_for_other_runtimes_take_pixels(name: str, request: pytest.FixtureRequest) -> None:
    """The verification has compared the probabilities and the feature map."""
    done = request.getfixturevalue(name)
    assert done.largest_difference < 1e-5
    signature = described(done.path)["signatures"]["serving_default"]
    assert signature["inputs"]["images"]["content"] == "pixels"
    assert signature["outputs"] == {
        "probabilities": {"dtype": "float32", "shape": [None, 10]},
        "grouped": {"dtype": "float32", "shape": [None, 6, 6, 8]},
    }


def test_an_onnx_file_has_our_names_and_the_description(onnx_export: archspec.Export) -> None:
    import onnx

    model = onnx.load(onnx_export.path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    (opset,) = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    assert opset <= 18
    axes = {
        each.name: [dim.dim_param or dim.dim_value for dim in each.type.tensor_type.shape.dim]
        for each in (*model.graph.input, *model.graph.output)
    }
    assert axes == {"images": ["batch", 8, 8, 1], "probabilities": ["batch", 10], "grouped": ["batch", 6, 6, 8]}
    properties = {each.key: each.value for each in model.metadata_props}
    assert properties["classes"].splitlines() == list("0123456789")
    assert json.loads(properties["archspec"])["spec"].startswith("name: small")
    assert json.loads(properties["archspec"])["preprocess"] == [{"scale": {"factor": 1 / 255, "offset": 0.0}}]


def test_a_litert_file_has_builtin_operators_and_labels(litert_export: archspec.Export) -> None:
    import zipfile

    from ai_edge_litert.interpreter import Interpreter

    path = litert_export.path / "model.tflite"
    operators = {each["op_name"] for each in Interpreter(str(path))._get_ops_details()}
    assert not [name for name in operators if name.startswith("Flex")]
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split() == list("0123456789")
        assert json.loads(archive.read("archspec.json"))["class_names"] == list("0123456789")


@pytest.mark.slow
def test_an_operator_that_litert_lacks_is_named_with_its_layer(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten(name="flat")(inputs)
    x = keras.ops.erfinv(keras.ops.tanh(x) * 0.9)
    save_model(keras.Model(inputs, keras.layers.Dense(3, name="last")(x)), tmp_path / "m.keras", Metadata())
    with pytest.raises(ArchspecError) as caught:
        archspec.export(tmp_path / "m.keras", tmp_path / "l", format="litert")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "not-exportable"
    assert "Erfinv" in diagnostic.message
    assert diagnostic.notes == ("in the layer `last`",)
    assert not (tmp_path / "l").exists()


def test_an_unknown_layer_is_named_and_nothing_is_written(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        archspec.export(run, tmp_path / "saved", outputs=["groupd"])
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("unknown-layer", "did you mean `grouped`?")
    assert list(tmp_path.iterdir()) == []


def test_a_block_is_no_layer_and_its_layers_are_named() -> None:
    model = SimpleNamespace(layers=[SimpleNamespace(name=name) for name in ("input", "stage.conv", "stage.bn", "end")])
    with pytest.raises(ArchspecError) as caught:
        features_of(model, ["stage"])
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "`stage` is a block, not a layer"
    assert diagnostic.help == "choose one of its layers: stage/conv, stage/bn"


def test_an_export_that_cannot_be_loaded_leaves_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archspec.runtime.export.keras_file import KerasFile

    (tmp_path / "runner.py").write_text("def load(folder, threads=0):\n    raise ValueError('no such operator')\n")
    monkeypatch.setattr(KerasFile, "runner", tmp_path / "runner.py")
    with pytest.raises(ArchspecError, match="ValueError: no such operator"):
        archspec.export(run, tmp_path / "k", format="keras")
    assert [path.name for path in tmp_path.iterdir()] == ["runner.py"]


def test_a_folder_in_the_old_layout_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    with pytest.raises(ArchspecError, match="without version folders"):
        archspec.export(run, tmp_path / "saved", overwrite=True)


def test_the_name_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchspecError, match="bad-output") as caught:
        archspec.export("run", tmp_path / "net.onnx", format="onnx")
    assert f'`out="{tmp_path / "net"}"`' in (caught.value.diagnostics[0].help or "")


@pytest.mark.parametrize("name", ["net[1]", "a*b", "why?", "back\\slash"])
def test_a_path_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchspecError, match=r"bad-output.*cannot be loaded from"):
        archspec.export("run", tmp_path / name / "net")
    with pytest.raises(ArchspecError, match="bad-output"):
        archspec.export_all("run", tmp_path / name)
    with pytest.raises(ArchspecError, match="model-not-found"):
        archspec.export(tmp_path / "run", tmp_path / name / "net", format="keras")


def test_chosen_images_are_balanced_and_seeded() -> None:
    labels = np.array([0] * 50 + [1] * 5 + [2] * 20, np.int32)
    rows = balanced(labels, 18, seed=3)
    assert np.bincount(labels[rows]).tolist() == [7, 5, 6] or np.bincount(labels[rows]).tolist() == [6, 5, 7]
    np.testing.assert_array_equal(rows, balanced(labels, 18, seed=3))
    assert not np.array_equal(rows, balanced(labels, 18, seed=4))
    assert len(balanced(labels, 100, seed=0)) == 75


def test_a_network_of_free_size_is_exported(tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    save_model(keras.Model(inputs, keras.layers.Dense(2)(pooled)), tmp_path / "free.keras", Metadata())
    done = archspec.export(tmp_path / "free.keras", tmp_path / "saved", verify=False)
    assert done.signatures == ("serving_default",)
    assert described(done.path)["signatures"]["serving_default"]["inputs"]["images"]["shape"] == [None, None, None, 3]


def test_int8_onnx_computes_in_int8_and_keeps_the_softmax(
    run: Path, onnx_export: archspec.Export, tmp_path: Path
) -> None:
    """Its accuracy is that of the network to 2 points; logits and probabilities have outputs of their own."""
    import onnx

    from archspec.runtime.export.onnx import Onnx
    from archspec.runtime.export.runners.onnx import load

    shutil.copy(onnx_export.path / "model.onnx", tmp_path)
    network = read_network(run)
    options = WriteOptions("int8", calibration_images(network, "digits", 0, print))
    Onnx()._lower_precision(tmp_path / "model.onnx", options)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in model.graph.node}
    (softmax,) = [node for node in model.graph.node if node.op_type == "Softmax"]
    assert list(softmax.output) == ["probabilities"]
    assert {each.key for each in model.metadata_props} == {"archspec", "classes"}
    compare(run, load(str(tmp_path)))


def test_int8_litert_has_float_inputs_and_outputs(run: Path, litert_export: archspec.Export, tmp_path: Path) -> None:
    from archspec.runtime.export.litert import lower_precision
    from archspec.runtime.export.runners.litert import load

    shutil.copy(litert_export.path / "model.tflite", tmp_path)
    lower_precision(tmp_path / "model.tflite", calibration_images(read_network(run), "digits", 0, print))
    compare(run, load(str(tmp_path)))


def compare(run: Path, functions: Mapping[str, Any]) -> None:
    """The int8 network agrees with the model on digits that it was not calibrated with."""
    network = read_network(run)
    images = check_images(network, "digits", most=450)
    found = functions["serving_default"](images.pixels)["probabilities"]
    assert found.dtype == np.float32
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-3)
    expected = np.asarray(network.main_value(images.inputs))
    assert abs((found.argmax(1) == images.labels).mean() - (expected.argmax(1) == images.labels).mean()) < 0.02
    assert 1e-5 < np.abs(found - expected).mean() < 0.01  # 8 bits
