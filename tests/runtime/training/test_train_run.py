"""Whole runs on the embedded digits: what they leave behind, and how they end when something comes in between."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import archspec
from archspec.diagnostics import ArchspecError
from archspec.format import duration
from archspec.runtime.data.pipeline.batches import evaluation_batches
from archspec.runtime.data.sources.dataset import open_data
from archspec.runtime.models.model_file import load_model
from archspec.runtime.training.records.progress import TrainingProgress
from archspec.runtime.training.run_result import RunResult
from archspec.runtime.training.train import train

# Keras hands its variables to NumPy in a way that NumPy 2 is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SPEC = """\
name: small
input: [8, 8, 1]
params: {classes: 10}
layers:
  - conv: {filters: 8, kernel_size: 3, strides: 2, padding: same, use_bias: false}
  - bn: {momentum: 0.8}
  - relu
  - flatten
  - dropout: 0.1
  - dense: $classes
  - softmax
preprocess: [scale: 0.00392156862745098]
train:
  epochs: 3
  batch_size: 100
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}
  schedule: {step: {epochs: [2], gamma: 0.5}}
  weight_decay: 1e-3
  augment: [random_shift: 1]
"""


class Watcher(TrainingProgress):
    """Keeps what a user would see, and does something at a step or at the end of an epoch's training."""

    def __init__(self, at_step: Callable[[int], None] | None = None, at_end: Callable[[], None] | None = None) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.at_step, self.at_end = at_step, at_end

    def note(self, text: str) -> None:
        self.lines.append(text)

    def steps(self, epoch: int, done: int, *figures: float) -> None:
        if self.at_step:
            self.at_step(epoch)

    def validating(self) -> None:
        if self.at_end:
            self.at_end()

    def epoch(self, row: Any, *, best: bool) -> None:
        self.rows.append({**row, "best": best})


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Also where these tests run in the background of a script: there a shell has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("specs") / "small.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.fixture(scope="module")
def finished(spec: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Watcher]:
    watcher = Watcher()
    out = tmp_path_factory.mktemp("runs") / "finished"
    return train(archspec.load(spec), "digits", out=out, progress=watcher, seed=3), watcher


def refused(code: str, spec: str, data: str = "digits", **arguments: Any) -> Any:
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(spec, **arguments.pop("settings", {})), data, progress=Watcher(), **arguments)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.help
    return diagnostic


def history(directory: Path) -> list[dict[str, float]]:
    return table(directory / "history.csv")


def table(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def logged(folder: Path) -> dict[str, list[float]]:
    """The scalars in TensorBoard's event files, by tag, in the order of their steps."""
    values: dict[str, list[float]] = {}
    for file in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset([str(file)]).as_numpy_iterator():
            for value in tf.compat.v1.Event.FromString(record).summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                values.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    return values


def test_history_tensorboard_and_the_user_see_the_same(finished: tuple[RunResult, Watcher]) -> None:
    result, watcher = finished
    rows = history(result.directory)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.1, 0.1, 0.05])
    times = table(result.directory / "times.csv")
    shown = [{key: value for key, value in row.items() if key != "best"} for row in watcher.rows]
    assert [{**row, **time} for row, time in zip(rows, times, strict=True)] == shown
    for part, prefix in (("train", ""), ("validation", "val_")):
        for tag, values in logged(result.directory / "tensorboard" / part).items():
            column = tag if tag == "learning_rate" else prefix + tag
            assert values == pytest.approx([row[column] for row in rows], rel=1e-6)


def test_the_best_epoch_is_kept_and_named(finished: tuple[RunResult, Watcher]) -> None:
    """Its figures are those that the saved network gives again on the held-out images."""
    result, _ = finished
    rows = history(result.directory)
    best = max(rows, key=lambda row: (row["val_top1"], -row["val_loss"]))
    assert (result.best_epoch, result.best_top1) == (best["epoch"], best["val_top1"])
    assert rows[-1]["val_top1"] > 0.6  # a tiny network after three epochs: far from chance, far from good
    for name, row in (("best.keras", best), ("last.keras", rows[-1])):
        model, metadata = load_model(result.directory / name)
        images = open_data("digits", "validation", channels=1)
        batches = evaluation_batches(images, input_shape=(8, 8, 1), batch_size=450, preprocess=metadata.preprocess)
        ((x, y),) = batches
        p = model(x).numpy()
        assert (p.argmax(axis=1) == y.numpy()).mean() == pytest.approx(row["val_top1"])
        assert -np.log(p[np.arange(450), y]).mean() == pytest.approx(row["val_loss"], rel=1e-5)


def test_settings_are_all_written_down(finished: tuple[RunResult, Watcher], spec: str) -> None:
    result, _ = finished
    run = json.loads((result.directory / "run.json").read_text())
    optimizer = run["recipe"]["optimizer"]["sgd"]
    assert (optimizer["learning_rate"], optimizer["momentum"], optimizer["clipnorm"]) == (0.1, 0.9, None)
    assert run["recipe"]["augment"] == [{"random_shift": {"pixels": 1}}]
    assert run["versions"]["keras"] == keras.__version__
    assert (run["seed"], run["devices"], run["images"]) == (3, "1 CPU", {"training": 1347, "validation": 450})
    assert run["class_names"] == list("0123456789")
    assert run["best"]["epoch"] == result.best_epoch
    assert (run["interrupted"], run["epochs_finished"]) == (False, 3)
    assert run["started"] <= run["finished"]


def test_the_spec_of_the_run_is_the_network_again(finished: tuple[RunResult, Watcher]) -> None:
    result, _ = finished
    again = archspec.load(str(result.directory / "spec.yaml"))
    model, metadata = load_model(result.directory)
    assert again.graph().params == model.count_params()
    assert again.recipe.epochs == 3
    assert metadata.spec == (result.directory / "spec.yaml").read_text()
    assert metadata.class_names == tuple("0123456789")


def test_the_pictures_are_pictures(finished: tuple[RunResult, Watcher]) -> None:
    result, _ = finished
    with Image.open(result.directory / "curves.png") as curves:
        assert curves.size == (1200, 480)
        assert len(np.unique(np.asarray(curves.convert("L")))) > 100  # lines and letters, not a blank sheet
    with Image.open(result.directory / "example.png") as example:
        images = open_data("digits", "validation", channels=1)
        assert images.pixels is not None
        assert np.array_equal(np.asarray(example), images.pixels[0, ..., 0])


def test_the_user_is_told_what_runs_and_what_to_try_next(finished: tuple[RunResult, Watcher]) -> None:
    result, watcher = finished
    size = "1,394 parameters (1,378 trained)"  # all but the moving statistics of a normalization of 8 channels
    assert f"small: {size}, 1,347 training images and 450 validation images of 10 classes, on 1 CPU" in watcher.lines
    assert (
        f"best validation top-1 {100 * (result.best_top1 or 0):.2f} % in epoch {result.best_epoch}" in result.summary()
    )
    run = result.directory
    assert result.next_commands() == (
        f"archspec evaluate {run} --data digits",
        f"archspec report {run} -o {run / 'report.html'}",
        f"archspec predict {run} {run / 'example.png'}",
        f"archspec export {run} -o {run / 'savedmodel'}",
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(finished: tuple[RunResult, Watcher], spec: str, tmp_path: Path) -> None:
    result, _ = finished
    again = train(archspec.load(spec), "digits", out=tmp_path / "again", progress=Watcher(), seed=3)
    pairs = zip(
        load_model(result.directory)[0].get_weights(), load_model(again.directory)[0].get_weights(), strict=True
    )
    assert all(np.array_equal(one, other) for one, other in pairs)


def once(number: int, epoch: int = 1) -> Callable[[int], None]:
    """Sends this process a signal, one only, at a step of that epoch."""
    sent: list[int] = []

    def send(now: int) -> None:
        if now == epoch and not sent:
            sent.append(now)
            os.kill(os.getpid(), number)

    return send


def test_ctrl_c_ends_after_the_step_with_everything_in_order(spec: str, tmp_path: Path) -> None:
    watcher = Watcher(at_step=once(signal.SIGINT, epoch=2))
    handler = signal.getsignal(signal.SIGINT)
    result = train(archspec.load(spec), "digits", out=tmp_path / "run", progress=watcher)
    assert signal.getsignal(signal.SIGINT) is handler
    assert result.interrupted
    assert (result.epochs, result.best_epoch) == (1, 1)
    assert any(line.startswith("interrupted: finishing this step") for line in watcher.lines)
    assert json.loads((result.directory / "run.json").read_text())["interrupted"] is True
    assert len(history(result.directory)) == 1
    assert (result.directory / "curves.png").is_file()
    best, last = (load_model(result.directory / name)[0].get_weights()[0] for name in ("best.keras", "last.keras"))
    assert not np.array_equal(best, last)  # last.keras has the steps after the first epoch


def test_long_runs_have_curves_before_their_end(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when each epoch takes a minute."""
    monkeypatch.setattr("archspec.runtime.training.records.run_logger.DRAWN_EVERY", 0)
    seen: set[tuple[int, bool]] = set()
    out = tmp_path / "run"
    train(
        archspec.load(spec, **{"train.epochs": 2}),
        "digits",
        out=out,
        progress=Watcher(at_step=lambda epoch: seen.add((epoch, (out / "curves.png").is_file()))),
    )
    assert seen == {(1, False), (2, True)}


def test_ctrl_c_in_the_first_epoch_keeps_the_network(spec: str, tmp_path: Path) -> None:
    watcher = Watcher(at_end=lambda: os.kill(os.getpid(), signal.SIGINT))
    result = train(archspec.load(spec), "digits", out=tmp_path / "run", progress=watcher)
    assert (result.interrupted, result.epochs, result.best_epoch) == (True, 0, None)
    assert load_model(result.directory)[0].count_params() == 1394
    assert "before the end of the first epoch" in result.summary()


def test_a_second_ctrl_c_stops_at_once(spec: str, tmp_path: Path) -> None:
    def twice(epoch: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    watcher, out = Watcher(at_step=twice), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(archspec.load(spec), "digits", out=out, progress=watcher)
    assert watcher.lines[-1] == f"stopped; resume from the last checkpoint with `archspec train --resume {out}`"


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_epochs_before(spec: str, tmp_path: Path) -> None:
    """The rate grows a 10^18-fold after the first epoch."""
    settings = {"train.schedule": {"step": {"epochs": [1], "gamma": 1e18}}}
    diagnostic = refused("diverged", spec, out=tmp_path / "run", settings=settings)
    assert diagnostic.message.startswith("the loss is ")
    assert diagnostic.message.endswith("of 14 in epoch 2")
    assert diagnostic.notes[-1].startswith("the checkpoint of step 14 is kept")
    assert '"train.optimizer.sgd.learning_rate": 0.01' in diagnostic.help
    assert len(history(tmp_path / "run")) == 1
    assert all(np.isfinite(weight).all() for weight in load_model(tmp_path / "run")[0].get_weights())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["errors"][0]["code"] == "diverged"


def test_an_existing_run_is_kept_unless_asked_otherwise(spec: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "history.csv").write_text("mine")
    assert refused("output-exists", spec, out=out).help == "choose another `out`"
    # not a run: not even with --overwrite
    refused("output-exists", spec, out=out, overwrite=True)
    assert (out / "history.csv").read_text() == "mine"
    (out / "run.json").write_text("{}")
    (out / "notes.txt").write_text("mine")
    assert "overwrite=True" in refused("output-exists", spec, out=out).help
    result = train(archspec.load(spec, **{"train.epochs": 1}), "digits", out=out, overwrite=True, progress=Watcher())
    assert len(history(result.directory)) == 1
    assert (out / "notes.txt").read_text() == "mine"


def test_mistakes_leave_no_directory(spec: str, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    diagnostic = refused("classes-mismatch", spec, out=out, settings={"classes": 7})
    assert diagnostic.message == "the network has 7 classes, but `digits` has 10"
    in_words = "give the last layer 10 units; `classes=10` does so in specs with a parameter `classes`"
    assert diagnostic.help == in_words
    refused("data-not-found", spec, "nowhere", out=out)
    free = tmp_path / "free.yaml"
    free.write_text("name: free\ninput: [null, null, 1]\nlayers: [global_avgpool, dense: 10, softmax]\n")
    refused("free-input", str(free), out=out)
    free.write_text("name: grid\ninput: [8, 8, 1]\nlayers: [conv: 10, softmax]\n")
    refused("no-classifier", str(free), out=out)
    refused("devices", spec, out=out, devices="many")
    assert list(tmp_path.iterdir()) == [free]


def test_a_place_that_cannot_be_written_to_is_named(spec: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    diagnostic = refused("cannot-write", spec, out=tmp_path / "file" / "run")
    assert str(tmp_path / "file" / "run") in diagnostic.message


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.4, "59 s"), (245, "4:05 min"), (3599.7, "1:00 h"), (7380, "2:03 h")]
)
def test_durations_are_short_and_have_a_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
