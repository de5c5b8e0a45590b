"""A lab from its file to its page, continued after an interruption, at a tiny scale."""

from __future__ import annotations

import csv
import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec import ArchspecError
from archspec.runtime.labs.arms import shifted
from archspec.runtime.labs.lab_data import SplitBatches
from archspec.runtime.labs.network_outputs import NetworkOutputs, central
from archspec.runtime.labs.progress import LabProgress
from archspec.runtime.labs.read_lab import lab_source
from archspec.runtime.models.build import build_model
from tests.runtime.labs.test_read_lab import GOOD

QUIET = LabProgress(silent=True)
TWO_TESTS = GOOD.replace(
    "compare:\n", "tests: {here: {}, there: {shift: 1}}\nimages: {train: 60, test: 30}\ncompare:\n"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> archspec.LabResult:
    """A lab of two arms, two seeds and two test conditions."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "my-lab.yaml").write_text(TWO_TESTS)
    return archspec.lab(folder / "my-lab.yaml", out=folder / "out", seeds=2, progress=QUIET)


def test_the_numbers_are_those_of_the_runs(finished: archspec.LabResult) -> None:
    """Recomputed by `archspec evaluate` from the last network of each run."""
    data = next((finished.directory / "data").glob("*.npz"))
    right: dict[str, list[np.ndarray]] = {}
    for arm in ("one", "two"):
        for seed in (0, 1):
            found = archspec.evaluate(finished.directory / "runs" / f"{arm}-seed{seed}" / "last.keras", data)
            right.setdefault(arm, []).append(found.predictions.posteriors.argmax(axis=1) == found.predictions.labels)
    column = finished.columns.index("test accuracy (%), here")
    shown = {str(row[0]): row[column] for row in finished.rows}
    assert shown == pytest.approx({arm: 100 * np.mean(each) for arm, each in right.items()})
    assert finished.differences[0].value == pytest.approx(100 * (np.mean(right["two"]) - np.mean(right["one"])))
    assert [row[1] for row in finished.rows] == [65 + 20, 130 + 30]


def test_the_folder_holds_everything_to_look_closer(finished: archspec.LabResult) -> None:
    out = finished.directory
    assert archspec.load(str(out / "specs" / "net.yaml"), units=2).graph().params == 160
    assert json.loads((out / "result.json").read_text())["verdict"] == finished.verdict
    with (out / "numbers.csv").open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["network", "one", "two"]
    with Image.open(finished.figures[0]) as image:
        assert image.size == (1100, 620)
    page = (out / "index.html").read_text()
    assert finished.claim in page
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_finished_lab_trains_nothing_again(finished: archspec.LabResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.runtime.training.run.train_and_record", None)
    again = archspec.lab(finished.directory.parent / "my-lab.yaml", out=finished.directory, seeds=2, progress=QUIET)
    assert again == finished


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_at_the_end_of_a_run_ends_the_lab(
    number: int, ends: type[BaseException], finished: archspec.LabResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came too late to interrupt the run, and must not be lost."""
    from archspec.runtime.training import train

    original = train.train
    monkeypatch.setattr(train, "train", lambda *given, **named: replace(original(*given, **named), late_signal=number))
    with pytest.raises(ends):
        archspec.lab(finished.directory.parent / "my-lab.yaml", out=finished.directory, seeds=2, progress=QUIET)


@pytest.mark.slow
def test_an_interrupted_lab_continues(finished: archspec.LabResult, tmp_path: Path) -> None:
    """Killed after the first run and in the middle of the second: the result is that of an uninterrupted lab."""
    from archspec.runtime.labs.context import LabContext

    (tmp_path / "my-lab.yaml").write_text(TWO_TESTS)
    trained = []

    class KilledError(Exception):
        pass

    original = LabContext.train

    def train(self: LabContext, *given: object, **named: object) -> Path:
        if len(trained) == 1:
            raise KilledError
        trained.append(named["name"])
        return original(self, *given, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabContext, "train", train)
        with pytest.raises(KilledError):
            archspec.lab(tmp_path / "my-lab.yaml", out=tmp_path / "out", seeds=2, progress=QUIET)
    first = tmp_path / "out" / "runs" / "one-seed0" / "run.json"
    before = first.read_text()
    result = archspec.lab(tmp_path / "my-lab.yaml", out=tmp_path / "out", seeds=2, progress=QUIET)
    assert first.read_text() == before
    assert (result.rows, result.differences) == (finished.rows, finished.differences)


def test_a_folder_of_another_lab_is_not_touched(finished: archspec.LabResult) -> None:
    lab = finished.directory.parent / "my-lab.yaml"
    with pytest.raises(ArchspecError, match="holds a lab that differs in: seeds"):
        archspec.lab(lab, out=finished.directory, seeds=3, progress=QUIET)
    with pytest.raises(ArchspecError, match="exists and is not empty"):
        archspec.lab(lab, out=lab.parent, progress=QUIET)


@pytest.mark.parametrize(("section", "missing"), [("networks", "network `saturation`"), ("options", "option `depth`")])
def test_a_copy_of_a_lab_without_what_its_code_needs_is_refused(section: str, missing: str, tmp_path: Path) -> None:
    before, found, rest = lab_source("saturation").text.partition(f"\n{section}:\n")
    after = rest[re.search(r"^\w", rest, re.MULTILINE).start() :]  # type: ignore[union-attr]
    assert found
    (tmp_path / "my-lab.yaml").write_text(f"{before}\n{after}")
    with pytest.raises(ArchspecError, match=rf"error\[lab\]: the code of this lab needs the {missing}"):
        archspec.lab(tmp_path / "my-lab.yaml", out=tmp_path / "out", progress=QUIET)


def test_a_shift_moves_the_picture_and_keeps_its_border() -> None:
    x = np.random.default_rng(0).integers(0, 255, (40, 6, 7, 1)).astype(np.uint8)
    parts = shifted((x[:25], x[25:]), 2, 40)
    moved = np.concatenate(list(parts))
    inside = {
        (down, right)
        for before, after in zip(x, moved, strict=True)
        for down in (-2, 0, 2)
        for right in (-2, 0, 2)
        if np.array_equal(np.roll(before, (down, right), (0, 1))[2:-2, 2:-2], after[2:-2, 2:-2])
    }
    assert len(inside) == 8
    assert (0, 0) not in inside
    assert np.array_equal(moved, next(shifted((x,), 2, 40)))


def test_larger_images_are_cropped_to_their_middle() -> None:
    x = np.arange(2 * 6 * 7 * 1).reshape(2, 6, 7, 1)
    assert np.array_equal(central(x, (4, 4, 1)), x[:, 1:5, 1:5])
    assert central(x, (None, None, 1)).shape == x.shape
    assert central(x[:, 0], (7, 1)).shape == (2, 7, 1)


def test_identity_layers_leave_the_outputs_as_they_are(
    finished: archspec.LabResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    monkeypatch.setattr(
        "archspec.runtime.dense.net2deeper.build_model", lambda graph: built.append(graph.params) or build_model(graph)
    )
    run = finished.directory / "runs" / "two-seed0"
    data = next((finished.directory / "data").glob("*.npz"))
    outputs = archspec.evaluate(run / "last.keras", data).predictions.posteriors
    x = np.load(data)["x_val"]
    found = NetworkOutputs(run / "last.keras").deepened([x], {"relu": 3}, archspec.load(str(run)).graph())
    np.testing.assert_allclose(found, outputs, atol=1e-6)
    assert built == [130 + 30 + 3 * (2 * 2 + 2)]


def test_photos_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(GOOD.replace("data: digits", "data: photos"))
    with pytest.raises(ArchspecError, match="needs photos"):
        archspec.lab(tmp_path / "lab.yaml", out=tmp_path / "out", progress=QUIET)
    assert not (tmp_path / "out").exists()


def test_files_are_read_batch_by_batch(
    finished: archspec.LabResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of more images than a batch: every batch is small, and the outputs are those of `archspec evaluate`."""
    monkeypatch.setattr("archspec.runtime.labs.lab_data.IN_BATCH", 40)
    rng = np.random.default_rng(0)
    names = [f"{number}" for number in range(10)]
    for part, count in (("train", 1), ("val", 2)):
        for name in names:
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(rng.integers(0, 255, (9, 11), dtype=np.uint8))
                image.save(tmp_path / part / name / f"{number}.png")
    run = finished.directory / "runs" / "two-seed0"
    batches = SplitBatches(str(tmp_path), "validation", (8, 8, 1), None, lambda line: None)
    assert [len(each) for each in batches] == [4] * 5
    monkeypatch.setattr("archspec.runtime.labs.lab_data.pixels", None)
    found = NetworkOutputs(run / "last.keras").posteriors(batches)
    peer = archspec.evaluate(run / "last.keras", tmp_path).predictions
    np.testing.assert_allclose(found, peer.posteriors, atol=1e-6)
    assert batches.labels.tolist() == peer.labels.tolist()
