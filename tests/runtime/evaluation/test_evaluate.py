"""Evaluate, predict and export one model file on a folder of images of many sizes: all three agree with NumPy."""

from __future__ import annotations

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import archspec
from archspec import Evaluations, Export, evaluate, export
from archspec.diagnostics import ArchspecError
from archspec.runtime.data.pipeline.preprocess import preprocess_image
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.evaluation.outputs import write_evaluation
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.models.metadata import Metadata
from archspec.runtime.models.model_file import save_model
from archspec.runtime.predict import predict
from tests.runtime.export.exports import run_programs_here

# Keras hands its variables to NumPy in a way that NumPy 2 is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

NAMES = ("bee", "ant", "cow", "dog", "élan", "fox")  # not in the order of the folders
SPEC = """\
name: grouped
input: [9, 11, 3]
layers:
  - conv: {filters: 6, kernel_size: 3, groups: 3}
  - lrn
  - relu
  - global_avgpool
  - dense: 6
  - softmax
preprocess: [scale: 0.01, subtract_mean: [1, 1.1, 1.2]]
evaluate: {resize: 13}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of another size for each image, JPEG and PNG, three a class."""
    folder = tmp_path_factory.mktemp("data") / "animals"
    generator = np.random.default_rng(0)
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        for number in range(3):
            sides = generator.integers(8, 30, 2)
            shade = generator.integers(0, 256, 3)
            noise = generator.integers(-60, 60, (*sides, 3)) + shade
            image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
            image.save(folder / name / f"{number}.{'jpg' if number else 'png'}")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = tmp_path_factory.mktemp("model") / "grouped.yaml"
    spec.write_text(SPEC)
    network = archspec.load(str(spec))
    keras.utils.set_random_seed(1)
    built = network.build()
    *_, kernel, bias = built.get_weights()
    built.set_weights([*built.get_weights()[:-2], 30 * kernel, bias])  # decided opinions
    metadata = Metadata(class_names=NAMES, preprocess=network.preprocess, resize=network.protocol.resize)
    save_model(built, spec.with_suffix(".keras"), metadata)
    return spec.with_suffix(".keras")


@pytest.fixture(scope="module")
def probabilities(model: Path, folder: Path) -> dict[str, Any]:
    """File -> probabilities (6,) in the order of NAMES, one image at a time, by Keras alone."""
    network = keras.saving.load_model(model)
    transforms = archspec.load(str(model.with_suffix(".yaml"))).preprocess
    found = {}
    for file in sorted(folder.rglob("*.*")):
        pixels = tf.io.decode_image(file.read_bytes(), channels=3, expand_animations=False)
        if file.suffix == ".jpg":
            pixels = tf.io.decode_jpeg(file.read_bytes(), dct_method="INTEGER_ACCURATE")
        found[str(file)] = network(preprocess_image(tf, pixels, (9, 11, 3), transforms, 13)[None]).numpy()[0]
    return found


@pytest.fixture(scope="module")
def evaluated(model: Path, folder: Path) -> Evaluation:
    return evaluate(model, str(folder), batch_size=5)


@pytest.fixture(scope="module")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    with pytest.MonkeyPatch.context() as patch:
        run_programs_here(patch)
        return export(model, tmp_path_factory.mktemp("export") / "deep" / "saved")


def test_figures_are_those_of_the_probabilities(evaluated: Evaluation, probabilities: dict[str, Any]) -> None:
    """Classes are matched by name: the folders come in another order than the network's classes."""
    true = np.array([NAMES.index(Path(file).parent.name) for file in probabilities])
    p = np.array(list(probabilities.values()))
    order = np.argsort(-p, axis=1, kind="stable")
    assert 0 < evaluated.top1 < 1  # a test of all right or all wrong would see less
    assert evaluated.top1 == pytest.approx((order[:, 0] == true).mean())
    assert evaluated.top5 == pytest.approx((order[:, :5] == true[:, None]).any(axis=1).mean())
    assert evaluated.loss == pytest.approx(-np.log(p[np.arange(18), true]).mean(), rel=1e-5)
    confusion = np.zeros((6, 6), np.int64)
    np.add.at(confusion, (true, order[:, 0]), 1)
    assert evaluated.class_names == NAMES
    assert np.array_equal(evaluated.confusion, confusion)
    assert [each.images for each in evaluated.classes] == [3] * 6
    assert sum(each.correct for each in evaluated.classes) == round(18 * evaluated.top1)
    assert evaluated.images_per_second > 0


def test_an_evaluation_is_written_as_json_csv_and_picture(evaluated: Evaluation, tmp_path: Path) -> None:
    directory = Evaluations([evaluated]).write(tmp_path / "evaluation")
    assert {path.name for path in directory.iterdir()} == {
        "evaluation.json",
        "images.csv",
        "classes.csv",
        "confusion.csv",
        "confusion.png",
    }
    assert json.loads((directory / "evaluation.json").read_text())["confusion"] == evaluated.confusion.tolist()
    with (directory / "confusion.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["true / predicted", *NAMES]
    assert [[row[0], *map(int, row[1:])] for row in rows] == [
        [name, *counts] for name, counts in zip(NAMES, evaluated.confusion.tolist(), strict=True)
    ]
    with Image.open(directory / "confusion.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50
    with pytest.raises(ArchspecError, match="output-exists"):
        Evaluations([evaluated]).write(directory)


def test_a_large_confusion_matrix_is_drawn_without_names(evaluated: Evaluation, tmp_path: Path) -> None:
    names = tuple(map(str, range(100)))
    posteriors = np.eye(100, dtype=np.float32)
    labels = np.arange(100, dtype=np.int32)
    predictions = evaluated.predictions
    large = Evaluation(
        dataclasses.replace(predictions, class_names=names, images=names, posteriors=posteriors, labels=labels)
    )
    write_evaluation(large, tmp_path)
    with Image.open(tmp_path / "confusion.png") as picture:
        assert max(picture.size) < 2000


def test_other_classes_are_refused_and_named(model: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in NAMES[1:]:
        (tmp_path / "data" / name).symlink_to(folder / name)
    (tmp_path / "data" / "gnu").symlink_to(folder / "bee")
    with pytest.raises(ArchspecError) as caught:
        evaluate(model, str(tmp_path / "data"))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "classes-mismatch"
    assert diagnostic.notes == ("only in the data: gnu", "only in the network: bee")


def test_part_of_the_classes_is_evaluated_over_all_or_these(model: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "cow").mkdir(parents=True)
    for name in ("ant", "fox"):
        (tmp_path / "data" / name).symlink_to(folder / name)
    whole, data = evaluate(model, str(folder)), str(tmp_path / "data")
    over_all, among = evaluate(model, data), evaluate(model, data, present_classes=True)
    assert (over_all.images, over_all.class_names, among.class_names) == (6, NAMES, ("ant", "fox"))
    names = {Path(name).parts[-2:]: row for row, name in enumerate(whole.predictions.images)}
    rows = [names[Path(name).parts[-2:]] for name in over_all.predictions.images]
    expected = whole.predictions.posteriors[rows]
    np.testing.assert_allclose(over_all.predictions.posteriors, expected, atol=1e-6)
    kept = expected[:, [NAMES.index("ant"), NAMES.index("fox")]]
    np.testing.assert_allclose(among.predictions.posteriors, kept / kept.sum(1, keepdims=True), atol=1e-5)
    assert [among.class_names[label] for label in among.predictions.labels] == ["ant"] * 3 + ["fox"] * 3


def test_a_model_without_names_takes_the_classes_as_they_come(model: Path, folder: Path, tmp_path: Path) -> None:
    network = keras.saving.load_model(model)
    network.save(tmp_path / "plain.keras")
    assert evaluate(tmp_path / "plain.keras", str(folder)).class_names == tuple(sorted(NAMES))
    pixels, labels = np.zeros((20, 9, 11, 3), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "ten.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    with pytest.raises(
        ArchspecError, match=r"classes-mismatch.*: the network has 6 classes without names, but .* has 10"
    ):
        evaluate(tmp_path / "plain.keras", str(tmp_path / "ten.npz"))


def test_predictions_are_sorted_and_bad_files_named(
    model: Path, probabilities: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.jpg").write_text("not an image")
    mixed = [*probabilities, *probabilities]  # images of one size are prepared together
    files = [tmp_path / "notes.jpg", *mixed, tmp_path / "missing.png"]
    first, *good, last = predict(model, files, top=4)
    assert (first.error, last.error) == ("not an image", "no such file")
    assert [prediction.file for prediction in good] == mixed
    for prediction in good:
        p = probabilities[prediction.file]
        order = np.argsort(-p, kind="stable")[:4]
        assert [name for name, _ in prediction.classes] == [NAMES[i] for i in order]
        assert [value for _, value in prediction.classes] == pytest.approx(p[order], abs=1e-6)
    Image.fromarray(np.zeros((99, 99, 3), np.uint8)).save(tmp_path / "whole.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-20])
    capfd.readouterr()
    assert predict(model, [tmp_path / "half.jpg"])[0].error == "a damaged JPEG"
    assert "JPEG data" not in capfd.readouterr().err  # what libjpeg says of it
    assert first.to_json() == {"file": str(tmp_path / "notes.jpg"), "classes": [], "error": "not an image"}
    assert good[0].to_json()["classes"][0]["class"] == good[0].classes[0][0]


def test_a_program_with_tensorflow_alone_is_served(
    exported: Export, probabilities: dict[str, Any], tmp_path: Path
) -> None:
    """Both signatures, any batch, class names in their order, and no trace of archspec or Keras layers."""
    program = """
import json, sys
import numpy as np
import tensorflow as tf
saved = tf.saved_model.load(sys.argv[1])
files = json.load(open(sys.argv[2]))
contents = [open(file, "rb").read() for file in files]
serve = saved.signatures["serve_images"]
served = {}
for batch in (slice(0, 1), slice(1, None)):
    found = serve(tf.constant(contents[batch]))
    for file, names, values in zip(files[batch], found["classes"].numpy(), found["probabilities"].numpy()):
        served[file] = [[name.decode() for name in names], values.tolist()]
floats = saved.signatures["serving_default"](tf.constant(np.load(sys.argv[3])))
print(json.dumps({"served": served, "floats": {name: value.numpy().tolist() for name, value in floats.items()},
                  "archspec": "archspec" in sys.modules}))
"""
    x = np.random.default_rng(0).normal(size=(7, 9, 11, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "files.json").write_text(json.dumps(list(probabilities)))
    arguments = [exported.path, tmp_path / "files.json", tmp_path / "x.npy"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["archspec"] is False
    for file, (names, values) in result["served"].items():
        assert values == sorted(values, reverse=True)
        assert dict(zip(names, values, strict=True)) == pytest.approx(
            dict(zip(NAMES, probabilities[file], strict=True)), abs=1e-5
        )
    assert list(result["floats"]) == ["probabilities"]
    assert np.shape(result["floats"]["probabilities"]) == (7, 6)


def test_an_export_is_checked_and_described(exported: Export) -> None:
    assert exported.signatures == ("serving_default", "serve_images")
    assert exported.largest_difference is not None
    assert exported.largest_difference < 1e-5
    assert exported.bytes == sum(file.stat().st_size for file in exported.path.rglob("*") if file.is_file())
    names = (exported.path / "assets" / "classes.txt").read_text(encoding="utf-8").splitlines()
    assert tuple(names) == NAMES
    assert [path.relative_to(exported.path.parents[1]) for path in exported.path.parents[1].glob("*/*")] == [
        Path("saved/1")
    ]


@pytest.mark.slow
def test_an_export_that_differs_is_not_kept(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can fail: a SavedModel of other preprocessing is found out."""
    from archspec.runtime.export import savedmodel

    serve_images = savedmodel._serve_images
    other = Metadata(class_names=NAMES, resize=20)
    monkeypatch.setattr(
        savedmodel,
        "_serve_images",
        lambda tf, network: serve_images(tf, dataclasses.replace(network, metadata=other, preprocess=())),
    )
    with pytest.raises(ArchspecError, match="export-differs"):
        export(model, tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_series_is_evaluated_and_exported_without_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_programs_here(monkeypatch)
    inputs = keras.Input((12, 2))
    hidden = keras.layers.Flatten()(keras.layers.Conv1D(4, 3)(inputs))
    save_model(keras.Model(inputs, keras.layers.Dense(3)(hidden)), tmp_path / "series.keras", Metadata())
    x = np.random.default_rng(0).normal(size=(10, 12, 2)).astype(np.float32)
    np.savez(tmp_path / "series.npz", x=x, y=np.arange(10) % 3)
    evaluation = evaluate(tmp_path / "series.keras", str(tmp_path / "series.npz"))
    assert (evaluation.images, evaluation.top5) == (10, None)
    image = tmp_path / "some.png"
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(image)
    with pytest.raises(ArchspecError, match="data-shape"):
        predict(tmp_path / "series.keras", [image])
    done = export(tmp_path / "series.keras", tmp_path / "saved")
    assert done.signatures == ("serving_default",)
    served = tf.saved_model.load(str(done.path)).signatures["serving_default"]
    assert list(served(input=tf.constant(x))) == ["logits"]


def test_images_of_any_size_are_predicted_one_by_one(folder: Path, tmp_path: Path) -> None:
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    save_model(keras.Model(inputs, keras.layers.Dense(2)(pooled)), tmp_path / "free.keras", Metadata())
    predictions = predict(tmp_path / "free.keras", sorted(folder.rglob("*.png")))
    assert len(predictions) == 6
    assert all(sum(value for _, value in each.classes) == pytest.approx(1) for each in predictions)


def test_the_held_out_images_of_a_run_are_found_again(model: Path, folder: Path) -> None:
    """`--validation-split` and `--seed` as in training give the same images."""
    evaluation = evaluate(model, str(folder), validation_split=0.34, seed=5)
    held_out = open_data(str(folder), "validation", validation_split=0.34, seed=5)
    assert evaluation.images == len(held_out) == 6
