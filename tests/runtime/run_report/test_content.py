"""What a report holds: the figures of the evaluation and of the run, and what it says when something is missing."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.runtime.evaluation.predictions import load_predictions
from archspec.runtime.run_report.commands import commands_of
from archspec.runtime.runs.train_config import read_settings
from tests.cli.conftest import Run
from tests.refusal import refused
from tests.runtime.run_report.conftest import NAMES, TRAINING, VALIDATION


@pytest.fixture
def moved(trained: Path, tmp_path: Path) -> Path:
    """The run after its data has moved to `elsewhere`, beside it."""
    shutil.copytree(trained, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["data"] = str(tmp_path / "gone")
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    shutil.copytree(trained.parent / "images", tmp_path / "elsewhere")
    return tmp_path / "run"


def test_the_figures_are_those_of_evaluate(trained: Path, report: archspec.RunReport) -> None:
    protocols = ["center", "ten-crop"]
    expected = archspec.evaluate_all(trained, trained.parent / "images", protocols=protocols)
    assert [each.protocol for each in report.evaluations] == protocols
    for found, each in zip(report.evaluations, expected, strict=True):
        assert found.top1_error == each.top1_error
        assert found.loss == pytest.approx(each.loss, abs=1e-6)
        np.testing.assert_array_equal(found.confusion, each.confusion)
    assert report.notes == ()
    assert report.content.facts["epochs"] == "2"
    assert f"{len(NAMES) * VALIDATION} validation images of the run" in report.content.evaluated


def test_the_history_and_the_data_are_those_of_the_run(trained: Path, report: archspec.RunReport) -> None:
    with (trained / "history.csv").open() as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert list(map(dict, report.content.history)) == rows
    training, validation = report.content.data.parts
    assert (training.images, validation.images) == (len(NAMES) * TRAINING, len(NAMES) * VALIDATION)
    assert set(training.class_counts or ()) == {TRAINING}
    record = json.loads((trained / "run.json").read_text())
    assert [part.sha256 for part in (training, validation)] == [
        record["fingerprints"][part]["sha256"] for part in ("training", "validation")
    ]


def test_mistakes_are_wrong_and_have_pictures_and_two_maps(report: archspec.RunReport) -> None:
    evaluation = report.evaluations[0]
    assert 0 < len(report.content.mistakes) == min(15, evaluation.top1_error.wrong)
    confidences = [image.confidence for image in report.content.mistakes]
    assert confidences == sorted(confidences, reverse=True)
    names = [name.partition("/images/")[2] for name in evaluation.predictions.images]
    labels = dict(zip(names, evaluation.predictions.labels, strict=True))
    for image in report.content.mistakes:
        assert image.predicted != image.truth == evaluation.class_names[labels[image.name]]
        assert image.photo is not None
        assert image.photo.data[:3] == b"\xff\xd8\xff"  # a JPEG
        assert [heat.class_name for heat in image.heat_maps] == [image.predicted, image.truth]


def test_sample_images_show_evaluation_and_augmented_views(report: archspec.RunReport) -> None:
    samples = report.content.data.samples
    assert len({row.class_name for row in samples}) == len(samples) == 5
    for row in samples:
        assert {(view.width, view.height) for view in row.views} == {(12, 12)}
        assert len({view.data for view in row.views}) > 1


def test_the_recipe_is_told_in_words(report: archspec.RunReport) -> None:
    words = "\n".join(report.content.recipe)
    steps = -(-len(NAMES) * TRAINING // 12)
    assert f"2 epochs of {len(NAMES) * TRAINING} training images in batches of 12: {2 * steps} updates" in words
    assert "Optimizer `sgd: {learning_rate: 0.5, momentum: 0.9}`" in words
    assert "Weight decay 0.001 of kernel" in words
    assert report.content.settings["optimizer.sgd.momentum"] == "0.9"


@pytest.mark.slow
def test_the_command_of_the_report_trains_the_same_network_again(
    trained: Path, report: archspec.RunReport, run: Run, tmp_path: Path
) -> None:
    import shlex

    words = shlex.split(report.content.commands.train)[1:]
    words[words.index("-o") + 1] = str(tmp_path / "again")
    assert run(*words).status == 0
    assert (tmp_path / "again" / "history.csv").read_text() == (trained / "history.csv").read_text()
    evaluate = shlex.split(report.content.commands.evaluate)[1:]
    done = run(*evaluate, "--format", "json")
    assert [each["top1"] for each in json.loads(done.out)["evaluations"]] == [each.top1 for each in report.evaluations]


@pytest.mark.parametrize(
    ("devices", "option"),
    [("1 CPU", []), ("1 GPU", ["--devices", "1"]), ("2 logical CPU devices", ["--devices", "cpu:2"])],
)
def test_the_command_names_the_devices_of_the_run(trained: Path, devices: str, option: list[str]) -> None:
    record, config = read_settings(trained)
    commands = commands_of(trained, {**record, "devices": devices}, config, (), ())
    assert commands.train.split()[-len(option) or None :] == option or not option
    assert ("--devices" in commands.train) == bool(option)
    assert any("GPU without --deterministic" in each for each in commands.caveats) == ("GPU" in devices)


def test_without_its_data_a_report_has_no_images_and_says_so(moved: Path) -> None:
    found = archspec.report(moved)
    (gone, not_evaluated) = found.notes
    assert gone.startswith("The data of the run cannot be read, so the report has no images: ")
    assert not_evaluated == "The network was not evaluated."
    assert found.evaluations == ()
    page = found.html()
    assert gone.split("`")[0] in page
    assert "<h2>Learning curves</h2>" in page
    assert "data:image/jpeg" not in page
    assert "Confusion matrix" not in page


@pytest.mark.slow
def test_data_that_has_moved_is_recognized_by_its_contents(moved: Path, report: archspec.RunReport) -> None:
    found = archspec.report(moved, data=moved.parent / "elsewhere")
    assert found.notes == ()
    assert found.evaluations[0].top1_error == report.evaluations[0].top1_error
    assert "validation images of the run" in found.content.evaluated
    assert found.content.data.samples
    commands = found.content.commands
    place = f"--data {moved.parent / 'elsewhere'}"
    assert all(place in each for each in (commands.train, commands.evaluate, commands.report))


@pytest.mark.slow
def test_changed_validation_images_are_noted(moved: Path) -> None:
    shutil.move(moved.parent / "elsewhere", moved.parent / "gone")
    (moved.parent / "gone" / "val" / "ant" / "0.png").unlink()
    found = archspec.report(moved)
    assert [each.partition(" of `")[0] for each in found.notes] == ["The validation images"]
    assert found.evaluations[0].images == len(NAMES) * VALIDATION - 1


def test_saved_predictions_replace_the_evaluation(trained: Path, moved: Path, tmp_path: Path) -> None:
    file = tmp_path / "saved.npz"
    archspec.evaluate_all(trained, trained.parent / "images", save_predictions=file)
    found = archspec.report(moved, predictions=file)
    expected = load_predictions(file)
    assert found.evaluations[0].predictions.images == expected.images
    assert found.content.mistakes
    assert all(image.photo is None for image in found.content.mistakes)
    with_images = archspec.report(trained, predictions=[file])
    assert all(image.photo is not None for image in with_images.content.mistakes)
    assert refused(lambda: archspec.report(trained, predictions=file, protocols=["center"])).code == "bad-argument"


def test_wrong_input_is_refused(trained: Path, tmp_path: Path) -> None:
    assert refused(lambda: archspec.report(tmp_path)).code == "not-a-run"
    assert refused(lambda: archspec.report(trained, data=tmp_path / "nothing")).code == "data-not-found"
    assert refused(lambda: archspec.report(trained, protocols=["none"])).code == "unknown-protocol"
    (tmp_path / "run.json").write_text('{"reference": "vgg:D",')
    damaged = refused(lambda: archspec.report(tmp_path))
    assert damaged.code == "not-a-run"
    assert f"`{tmp_path / 'run.json'}` is damaged: " in damaged.message


def test_the_command_writes_one_file(run: Run, trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = run("report", trained, "-o", out)
    assert done.status == 0
    assert f"wrote {out} (" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    again = run("report", trained, "-o", out)
    assert again.status == 1
    assert "error[output-exists]" in again.err
    assert run("report", trained, "-o", tmp_path / "report.txt").status == 1


def test_a_finished_page_is_made_without_tensorflow(report: archspec.RunReport) -> None:
    code = "import archspec, sys; import archspec.runtime.run_report.html; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
