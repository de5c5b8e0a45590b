"""The main job with the console script: a spec becomes a trained, evaluated, exported network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run

SPEC = """
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - conv: {filters: 16, kernel_size: 3, padding: same, use_bias: false}
  - bn
  - relu
  - maxpool
  - flatten
  - dense: $classes
  - softmax
preprocess: [scale: $(1 / 255)]
train: {epochs: 2, batch_size: 64, optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}, augment: [random_shift: 1]}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


@pytest.mark.slow
def test_train_evaluate_predict_export(run: Run, spec: Path, tmp_path: Path) -> None:
    directory = tmp_path / "run"
    trained = run("train", spec, "--data", "digits", "-o", directory)
    assert trained.status == 0, trained.err
    assert f"archspec evaluate {directory} --data digits" in trained.out
    assert "epoch 2/2" in trained.err
    expected = {"spec.yaml", "run.json", "history.csv", "tensorboard", "curves.png", "best.keras", "last.keras"}
    assert expected <= {path.name for path in directory.iterdir()}
    assert run("check", directory / "spec.yaml").status == 0

    again = run("train", spec, "--data", "digits", "-o", directory)
    assert again.status == 1
    assert "--overwrite" in again.err

    evaluated = run("evaluate", directory, "--data", "digits", "--format", "json", "-o", tmp_path / "evaluation")
    assert evaluated.status == 0, evaluated.err
    figures = json.loads(evaluated.out)
    assert figures["images"] == 450
    assert figures["top1"] > 0.5  # two epochs of a tiny network: far from chance, far from good
    assert sum(map(sum, figures["confusion"])) == 450
    assert (tmp_path / "evaluation" / "confusion.png").stat().st_size > 5_000

    example, no_image = directory / "example.png", tmp_path / "notes.png"
    no_image.write_text("not an image")
    predicted = run("predict", directory, example, no_image, "--format", "json", "--top", "3")
    assert predicted.status == 1
    good, bad = json.loads(predicted.out)
    assert len(good["classes"]) == 3
    assert bad["error"]

    exported = run("export", directory, "-o", tmp_path / "saved")
    assert exported.status == 0, exported.err
    served = _serve(tmp_path / "saved" / "1", example)
    assert served["names"] == [each["class"] for each in good["classes"]]
    probabilities = [each["probability"] for each in good["classes"]]
    np.testing.assert_allclose(served["probabilities"], probabilities, atol=1e-5)
    assert "verified with 33 generated images (seed 0) in a fresh process without archspec" in exported.out


def _serve(saved: Path, image: Path) -> dict[str, list[object]]:
    """What a program that imports only tensorflow gets from the exported network for an image file."""
    program = """
import json, sys
import tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["serve_images"]
found = serve(tf.constant([open(sys.argv[2], "rb").read()]))
print(json.dumps({"names": [name.decode() for name in found["classes"][0].numpy()[:3]],
                  "probabilities": found["probabilities"][0].numpy()[:3].tolist(),
                  "archspec": "archspec" in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", program, saved, image], capture_output=True, text=True, check=True)
    result: dict[str, list[object]] = json.loads(done.stdout.splitlines()[-1])
    assert result.pop("archspec") is False
    return result


def test_build_writes_a_file_that_evaluate_takes(run: Run, spec: Path, tmp_path: Path) -> None:
    model = tmp_path / "small.keras"
    built = run("build", spec, "-o", model)
    assert built.status == 0, built.err
    assert "parameters" in built.out
    assert run("build", spec, "-o", model).status == 1  # it exists
    assert run("build", spec, "-o", model, "--overwrite").status == 0
    assert run("evaluate", model, "--data", "digits").status == 0


def test_classes_that_differ_name_the_setting(run: Run, spec: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for part in ("train", "val"):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for number in range(3):
                pixels = np.random.default_rng(number).integers(0, 256, (11, 9, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pets" / part / name / f"{number}.png")
    wrong = run("train", spec, "--data", tmp_path / "pets", "-o", tmp_path / "run")
    assert wrong.status == 1
    assert "--set classes=2" in wrong.err
    assert not (tmp_path / "run").exists()
    right = run("train", spec, "--data", tmp_path / "pets", "-o", tmp_path / "run", "--set", "classes=2", "--epochs", 1)
    assert right.status == 0, right.err


@pytest.mark.parametrize("command", [["evaluate", "--data", "digits"], ["export", "-o", "out"], ["predict", "x.png"]])
def test_a_file_that_is_no_model_is_refused(run: Run, tmp_path: Path, command: list[str]) -> None:
    fake = tmp_path / "fake.keras"
    fake.write_text("name: net")
    name, *others = command
    result = run(name, fake, *others)
    assert result.status == 1
    assert "error[not-a-model]" in result.err
    assert "Traceback" not in result.err
