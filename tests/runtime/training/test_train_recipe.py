"""Whole runs with what a recipe may ask for: auxiliary outputs, averaged weights, iterations, early stopping."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archspec
from archspec import api, evaluate, export
from archspec.diagnostics import ArchspecError
from archspec.runtime.models.model_file import load_model
from archspec.runtime.predict import predict
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.run_result import RunResult
from archspec.runtime.training.train import train

# Keras hands its variables to NumPy in a way that NumPy 2 is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SPEC = """\
name: two-heads
input: [8, 8, 1]
layers:
  - conv: {filters: 8, kernel_size: 3, padding: same, use_bias: false}
  - bn: {momentum: 0.8}
  - {name: body, relu: }
  - {name: aux, dense: 10, from: flat}
  - {name: aux_out, softmax: , from: aux}
  - {from: body, dropout: 0.1}
  - flatten
  - dense: 10
  - {name: main, softmax: }
outputs: {main: 1, aux_out: 0.3}
preprocess: [scale: 0.00392156862745098]
train:
  iterations: 20
  batch_size: 100
  base_batch_size: 50
  optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9, use_ema: true, ema_momentum: 0.8}}
  class_weight: balanced
""".replace(
    "  - {name: aux, dense: 10, from: flat}", "  - {name: flat, flatten: , from: body}\n  - {name: aux, dense: 10}"
)


class Notes(TrainingProgress):
    """Keeps the lines that a user would see."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("specs") / "two.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.fixture(scope="module")
def run(spec: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Notes]:
    notes = Notes()
    out = tmp_path_factory.mktemp("runs") / "two"
    return train(archspec.load(spec), "digits", out=out, progress=notes, seed=1), notes


def history(directory: Path) -> list[dict[str, float]]:
    with (directory / "history.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_a_run_of_iterations_ends_in_the_middle_of_an_epoch(run: tuple[RunResult, Notes]) -> None:
    """1,347 images are 14 batches: 20 iterations are one epoch and 6 batches more."""
    result, notes = run
    assert [row["epoch"] for row in history(result.directory)] == [1, 2]
    assert any(line.startswith("2 epochs (20 updates) in batches of 100, sgd at 0.05") for line in notes.lines)


def test_the_scaled_rate_is_said_and_used(run: tuple[RunResult, Notes]) -> None:
    result, notes = run
    assert [row["learning_rate"] for row in history(result.directory)] == pytest.approx([0.1, 0.1])
    assert (
        "learning rate x 2: an update has 100 images, and the recipe is for 50 (`base_batch_size`); 0.05 becomes 0.1"
    ) in notes.lines


def test_the_saved_network_is_the_averaged_one_that_was_validated(run: tuple[RunResult, Notes]) -> None:
    result, _ = run
    row = history(result.directory)[-1]
    evaluation = evaluate(result.directory / "last.keras", "digits")
    assert evaluation.top1 == pytest.approx(row["val_top1"])
    assert evaluation.loss == pytest.approx(row["val_loss"], rel=1e-4)
    assert row["val_top1"] > 0.6


@pytest.mark.slow
def test_the_main_output_of_several_is_evaluated_predicted_and_exported(
    run: tuple[RunResult, Notes], tmp_path: Path
) -> None:
    result, _ = run
    model, _ = load_model(result.directory)
    assert [output.shape[-1] for output in model.outputs] == [10, 10]
    assert result.example is not None
    (prediction,) = predict(result.directory, [str(result.example)])
    export(result.directory, tmp_path / "saved")
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path / "saved" / "1"))
    x = np.random.default_rng(0).uniform(size=(2, 8, 8, 1)).astype(np.float32)
    (name, given), *others = served.signatures["serving_default"](tf.constant(x)).items()
    assert (name, others) == ("probabilities", [])
    np.testing.assert_allclose(given.numpy(), model(x)[0].numpy(), atol=1e-6)
    assert prediction is not None


def test_a_run_keeps_its_recipe(run: tuple[RunResult, Notes]) -> None:
    result, _ = run
    kept = json.loads((result.directory / "run.json").read_text())["recipe"]
    assert (kept["iterations"], kept["class_weight"], kept["loss"]) == (
        20,
        "balanced",
        {"categorical_crossentropy": {"label_smoothing": 0.0}},
    )
    assert api.load(str(result.directory / "spec.yaml")).recipe.iterations == 20


@pytest.mark.slow
def test_another_recipe_accumulates_and_stops_early(spec: str, tmp_path: Path) -> None:
    """No loss is 100 better than the first: the rate drops after the second epoch, and the third is the last."""
    file = tmp_path / "mine.yaml"
    file.write_text(
        "epochs: 9\nbatch_size: 100\n"
        "optimizer: {adamw: {learning_rate: 0.01, gradient_accumulation_steps: 4, clipnorm: 1.0}}\n"
        "loss: {categorical_focal_crossentropy: {gamma: 1}}\n"
        "schedule: {plateau: {monitor: loss, factor: 0.5, patience: 1, min_delta: 100}}\n"
        "early_stopping: {baseline: 0.0, min_delta: 100, patience: 3}\n"
        "dtype_policy: mixed_bfloat16\n"
    )
    notes = Notes()
    before = keras.config.dtype_policy()
    network = archspec.load(spec, recipe=str(file), **{"train.epochs": 5})
    result = train(network, "digits", out=tmp_path / "run", progress=notes)
    rows = history(result.directory)
    assert result.epochs == len(rows) == 3
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01, 0.01, 0.005])
    assert "stopped after epoch 3 by `early_stopping`" in notes.lines
    assert notes.lines[1].startswith("5 epochs (20 updates) in batches of 100, adamw at 0.01, ")
    assert "4 batches per update" in notes.lines[1]
    assert keras.config.dtype_policy() == before
    model, _ = load_model(result.directory)
    assert model.get_layer("main").compute_dtype == "bfloat16"
    difference = export(result.directory, tmp_path / "saved").largest_difference
    assert difference is not None
    assert difference < 0.02  # bfloat16 has 8 bits
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_class_that_is_not_there_is_refused_before_anything_is_written(spec: str, tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        train(
            archspec.load(spec, **{"train.class_weight": {"cat": 2}}), "digits", out=tmp_path / "run", progress=Notes()
        )
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.help) == ("class-weight", "the classes are: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9")
    assert not (tmp_path / "run").exists()


def test_a_transform_that_does_not_fit_is_refused_before_anything_is_written(spec: str, tmp_path: Path) -> None:
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(spec, recipe="small-images"), "digits", out=tmp_path / "run", progress=Notes())
    assert caught.value.diagnostics[0].message.startswith("`rand_augment` needs three channels")
    assert not (tmp_path / "run").exists()


def test_outputs_of_unequal_classes_are_refused(spec: str, tmp_path: Path) -> None:
    wrong: Any = Path(spec).read_text().replace("{name: aux, dense: 10}", "{name: aux, dense: 9}")
    (tmp_path / "wrong.yaml").write_text(wrong)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(str(tmp_path / "wrong.yaml")), "digits", out=tmp_path / "run", progress=Notes())
    fact = "`digits` has one label for each image, in `label`, and the network has the outputs `main`, `aux_out`"
    assert caught.value.diagnostics[0].message == fact


def test_training_and_evaluation_warn_of_crops_that_show_a_corner(tmp_path: Path) -> None:
    """8 of 32 pixels, 6.2 % of each image; the digits are 8 x 8, so that training sees all of them."""
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "name: net\ninput: [8, 8, 1]\nlayers: [flatten, dense: 10, softmax]\n"
        "train: {epochs: 1, batch_size: 500, augment: [random_crop]}\nevaluate: {resize: 32}\n"
    )
    notes = Notes()
    train(api.load(str(spec)), "digits", out=tmp_path / "run", progress=notes)
    (warning,) = [line for line in notes.lines if line.startswith("warning")]
    assert "evaluation crops 6.2 % of an image of 32 pixels" in warning
    assert "training crops" not in warning
    assert f"{spec}:5:12" in warning
    for protocol, warned in ((None, True), ("ten-crop", True), ("center: 8", False), ("multi-crop: 32", False)):
        told: list[str] = []
        evaluate(tmp_path / "run", "digits", protocol=protocol, report=told.append)
        found = [line for line in told if line.startswith("warning[small-crop]")]
        assert len(found) == warned
        assert all(f'protocol="{protocol or "center"}: 8"' in line for line in found)
    mended = Notes()
    train(api.load(str(spec), **{"evaluate.resize": 8}), "digits", out=tmp_path / "mended", progress=mended)
    assert not [line for line in mended.lines if line.startswith("warning")]
