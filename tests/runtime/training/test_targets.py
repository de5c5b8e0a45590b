"""Runs on other targets than one class for each image: every kind in one network, from a table to an export."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.training.train import train
from tests.runtime.training.resuming import go_on, refused
from tests.runtime.training.same_bits import differences, result
from tests.runtime.training.test_train_run import Watcher, history, once

COLORS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 230)}
BODY = """\
name: several
input: [8, 8, 3]
layers:
  - conv: {filters: 8, kernel_size: 3, padding: same}
  - relu
  - maxpool: 2
  - {name: body, flatten: }
"""
SPEC = f"""{BODY}\
  - dense: 3
  - {{name: color, softmax: }}
  - {{from: body, dense: 1}}
  - {{name: big, sigmoid: }}
  - {{from: body, dense: 4}}
  - {{name: tags, sigmoid: }}
  - {{name: size, from: body, dense: 1}}
outputs: {{color: 1, big: 0.5, tags: 2, size: 0.1}}
preprocess: [scale: 0.00392156862745098]
train:
  epochs: 3
  batch_size: 20
  loss: huber
  optimizer: {{adam: {{learning_rate: 0.01, gradient_accumulation_steps: 2, use_ema: true}}}}
  schedule: {{plateau: {{monitor: val_color_top1, patience: 9}}}}
  early_stopping: {{monitor: val_size_rmse, patience: 9}}
  augment: [random_flip, mixup]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """80 colored squares; 60 for training."""
    folder, generator, rows = tmp_path_factory.mktemp("squares"), np.random.default_rng(0), []
    for number in range(80):
        color, side = list(COLORS)[number % 3], int(generator.integers(2, 7))
        image = generator.integers(0, 50, (8, 8, 3)).astype(np.uint8)
        top, left = generator.integers(0, 9 - side, 2)
        image[top : top + side, left : left + side] = COLORS[color]
        Image.fromarray(image).save(folder / f"{number}.png")
        tags = [color, "big"] if side > 4 else [color]
        row = [f"{number}.png", color, "yes" if side > 4 else "no", ";".join(tags), side / 2]
        rows.append([*row, "train" if number < 60 else "val"])
    with (folder / "t.csv").open("w", newline="") as file:
        head = ["path", "label:color", "label:big", "label:tags", "label:size", "split"]
        csv.writer(file).writerows([head, *rows])
    return str(folder / "t.csv")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("specs") / "several.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.fixture(scope="module")
def whole(spec: str, data: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(archspec.load(spec), data, out=out, progress=Watcher())
    return out


def test_every_output_has_its_metrics_in_the_history(whole: Path) -> None:
    rows = history(whole)
    assert list(rows[0])[2:] == [
        *("loss", "color_top1", "size_r2", "big_accuracy", "tags_f1", "size_rmse", "size_mae"),
        *("val_loss", "val_color_top1", "val_big_auc", "val_tags_map", "val_size_r2"),
        *("val_big_accuracy", "val_tags_f1", "val_size_rmse", "val_size_mae"),
    ] or set(rows[0]) >= {"val_color_top1", "val_big_auc", "val_tags_map", "val_size_r2"}
    settings = json.loads((whole / "run.json").read_text())
    assert [(each["name"], each["kind"], each["class_names"]) for each in settings["targets"]] == [
        ("color", "classes", ["blue", "green", "red"]),
        ("big", "binary", ["no", "yes"]),
        ("tags", "multi-label", ["big", "blue", "green", "red"]),
        ("size", "numbers", []),
    ]
    mains = ("val_color_top1", "val_big_auc", "val_tags_map", "val_size_r2")
    best = max(rows, key=lambda row: (sum(row[name] for name in mains) / 4, -row["val_loss"]))
    assert settings["best"]["epoch"] == best["epoch"]
    assert (whole / "curves.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(spec: str, data: str, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    ended = train(archspec.load(spec), data, out=out, progress=Watcher(at_step=once(signal.SIGTERM, epoch=2)))
    assert ended.interrupted
    go_on(out)
    assert [key for key in differences(result(whole), result(out)) if key != "checkpoints"] == []


def test_other_labels_of_the_same_images_are_noticed(whole: Path, data: str, tmp_path: Path) -> None:
    """Also those of the last output: here the size of one image."""
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    settings = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**settings, "finished": None}))
    moved = tmp_path / "moved"
    shutil.copytree(Path(data).parent, moved)
    lines = (moved / "t.csv").read_text().splitlines()
    *cells, size, part = lines[4].split(",")
    lines[4] = ",".join([*cells, str(float(size) + 1), part])
    (moved / "t.csv").write_text("\n".join(lines) + "\n")
    found = refused("data-changed", out, data=str(moved / "t.csv"))
    assert found.notes[0] == f"new, changed or relabelled images: `{moved / '3.png'}`"


def test_an_evaluation_of_each_output_has_the_metrics_of_the_validation(whole: Path, data: str, tmp_path: Path) -> None:
    found = {each.output: each for each in archspec.evaluate_all([whole], data, out=tmp_path / "reports")}
    best = json.loads((whole / "run.json").read_text())["best"]
    row = next(each for each in history(whole) if each["epoch"] == best["epoch"])
    values: dict[str, Any] = {name: each.to_json() for name, each in found.items()}
    assert found["color"].top1 == pytest.approx(row["val_color_top1"])
    assert values["big"]["auc"]["value"] == pytest.approx(row["val_big_auc"], abs=0.01)  # the run counts in bins
    assert values["tags"]["map"]["value"] == pytest.approx(row["val_tags_map"], abs=0.01)
    assert values["tags"]["micro_f1"]["value"] == pytest.approx(row["val_tags_f1"])
    assert values["size"]["r2"]["value"] == pytest.approx(row["val_size_r2"], abs=1e-4)
    folders = sorted(path.name for path in (tmp_path / "reports").iterdir() if path.is_dir())
    assert folders == ["1-center-color", "2-center-big", "3-center-tags", "4-center-size"]
    with (tmp_path / "reports" / "3-center-tags" / "images.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20
    lower = archspec.evaluate(whole, data, output="big", threshold=0.01)
    assert lower.to_json()["recall"]["value"] == 1  # everything is decided for


def test_a_prediction_has_all_outputs(whole: Path, data: str) -> None:
    image = str(Path(data).parent / "3.png")
    (found,) = archspec.predict(whole, [image, str(Path(data).parent / "no.png")])[:1]
    assert [each.name for each in found.outputs] == ["color", "big", "tags", "size"]
    assert sum(probability for _, probability in found.outputs[0].classes) == pytest.approx(1, abs=1e-5)
    assert str(found).startswith(f"{image}: color ")
    assert "; size " in str(found)
    assert list(found.to_json()["outputs"]) == ["color", "big", "tags", "size"]
    text = archspec.predictions_text([found], "csv").splitlines()
    assert text[0].startswith("path,color,color probability of blue,")


def test_an_export_has_the_outputs_by_name(whole: Path, data: str, tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    from archspec.runtime.export.check_images import check_images
    from archspec.runtime.export.read_network import read_network
    from archspec.runtime.export.variants import optimized

    made = archspec.export(whole, tmp_path / "out", verify=False)
    loaded = tf.saved_model.load(str(made.path))
    pixels = np.asarray(Image.open(Path(data).parent / "3.png"))
    by_name = loaded.signatures["serve_images"](tf.constant([(Path(data).parent / "3.png").read_bytes()]))
    model = keras.saving.load_model(whole / "best.keras")
    expected = model.predict(pixels[None].astype(np.float32) * 0.00392156862745098, verbose=0)
    for name, value in zip(("color", "big", "tags", "size"), expected, strict=True):
        np.testing.assert_allclose(by_name[name].numpy(), value, atol=1e-5)
    described = json.loads((made.path / "export.json").read_text())
    assert list(described["signatures"]["serving_default"]["outputs"]) == ["color", "big", "tags", "size"]
    network = read_network(whole)
    rewritten, _ = optimized(network, takes_pixels=False)
    x = check_images(network, None).inputs
    for name, value in rewritten.values(x).items():
        np.testing.assert_allclose(value, network.values(x)[name], atol=1e-4)
    with pytest.raises(ArchspecError, match="`dense=True` does not apply to a network that has the outputs `color`"):
        archspec.export(whole, tmp_path / "other", dense=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "loss", "kind"), [("sigmoid", "binary_crossentropy", "big"), ("linear", "huber", "size")]
)
def test_an_export_of_one_output_is_verified(end: str, loss: str, kind: str, data: str, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    last = (
        f"  - {{name: {kind}, dense: 1}}\n" if end == "linear" else f"  - dense: 1\n  - {{name: {kind}, sigmoid: }}\n"
    )
    path.write_text(f"{BODY}{last}train: {{loss: {loss}, epochs: 2, optimizer: {{adam: 0.01}}}}\n")
    train(archspec.load(str(path)), data, out=tmp_path / "run", progress=Watcher())
    made = archspec.export(tmp_path / "run", tmp_path / "out", data=data)
    assert made.verification is not None
    assert made.verification.largest_difference < 1e-5
    assert (made.verification.top1 is None) == (end == "linear")


@pytest.mark.parametrize(
    ("last", "train_section", "fact"),
    [
        ("  - dense: 1\n", "", "returns one number, without an activation"),
        ("  - dense: 3\n  - softmax\n", "loss: huber, early_stopping: {monitor: val_auc}", "monitors `val_auc`"),
        ("  - dense: 4\n  - sigmoid\n", "loss: huber", "the loss `huber` does not apply"),
        ("  - {name: tags, dense: 4}\n  - sigmoid\n", "class_weight: balanced", "an image has no single class"),
    ],
)
def test_what_does_not_fit_is_refused(last: str, train_section: str, fact: str, data: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(f"{BODY}{last}train: {{{train_section}}}\n")
    table = Path(data).with_name("one.csv")
    column = 3 if "4" in last else 1
    with Path(data).open() as file:
        rows = [[row[0], "label" if not n else row[column], row[5]] for n, row in enumerate(csv.reader(file))]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(str(path)), str(table), out=tmp_path / "run", progress=Watcher())
    (diagnostic,) = caught.value.diagnostics
    assert fact in diagnostic.message
    assert diagnostic.help
    assert not (tmp_path / "run").exists()
