"""Training from Python as docs/training.md shows it, and a later evaluation that knows what was trained on."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from pathlib import Path

import pytest

import archspec
from archspec import evaluate_all
from tests.runtime.data.image_files import two_classes
from tests.runtime.small_specs import SPEC
from tests.runtime.training.test_train_run import Watcher

DOCS = Path(__file__).parents[3] / "docs" / "training.md"

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def test_the_snippet_of_the_docs_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = DOCS.read_text(encoding="utf-8").split("## From Python")[1].split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    said, names = io.StringIO(), dict[str, object]()
    with contextlib.redirect_stdout(said):
        exec(snippet, names)
    lines = (tmp_path / "runs/three/history.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    best = max(rows, key=lambda row: (float(row["val_top1"]), -float(row["val_loss"])))
    trained, evaluated = said.getvalue().splitlines()
    assert len(rows) == 3
    assert trained == f"{best['val_top1']} {best['epoch']}"
    assert evaluated.startswith(f"{100 * (1 - float(best['val_top1'])):.2f} % (")
    run = names["run"]
    assert (getattr(run, "epochs", None), getattr(run, "interrupted", None)) == (3, False)
    again = archspec.resume("runs/three", progress=Watcher()).next_commands()
    assert f"archspec predict {Path('runs/three')} {Path('runs/three/example.png')}" in again


def test_an_evaluation_says_that_it_counts_images_of_the_training(tmp_path: Path) -> None:
    spec, data, run = tmp_path / "small.yaml", two_classes(tmp_path / "pets", 4), tmp_path / "run"
    spec.write_text(SPEC)
    network = archspec.load(str(spec), classes=2, **{"train.epochs": 1, "train.batch_size": 4})
    archspec.train(network, str(data), out=run, validation_split=0.5, seed=3, progress=Watcher())

    def said(model: Path, data: Path, **options: object) -> list[str]:
        lines: list[str] = []
        (found,) = evaluate_all([model], str(data), report=lines.append, **options)  # type: ignore[arg-type]
        assert found.images == (4 if "validation_split" in options else 8)
        return [line for line in lines if line.startswith("note: ")]

    note = "was trained on part of these images; `validation_split=0.5, seed=3` leaves those out"
    assert said(run, data) == [f"note: `{run}` {note}"]
    assert said(run / "best.keras", data, validation_split=0.5) == [f"note: `{run / 'best.keras'}` {note}"]  # seed 0
    assert said(run, data, validation_split=0.5, seed=3) == []
    assert said(run, two_classes(tmp_path / "others", 4)) == []


def test_the_command_that_evaluates_a_run_leaves_out_what_the_run_left_out(tmp_path: Path) -> None:
    spec, data = tmp_path / "small.yaml", two_classes(tmp_path / "pets", 4)
    spec.write_text(SPEC)
    (data / "cat" / "note.txt").write_text("no image")
    network = archspec.load(str(spec), classes=2, **{"train.epochs": 1, "train.batch_size": 4})
    options = {"validation_split": 0.5, "skip_bad_images": True, "out": tmp_path / "run"}
    result = archspec.train(network, str(data), progress=Watcher(), **options)
    evaluate = result.next_commands()[0].removeprefix("archspec ").split()
    assert evaluate[2:] == ["--data", str(data), "--validation-split", "0.5", "--seed", "0", "--skip-bad-images"]


def test_a_run_whose_images_are_elsewhere_says_how_to_name_them(tmp_path: Path) -> None:
    spec, data, out = tmp_path / "small.yaml", two_classes(tmp_path / "pets", 4), tmp_path / "run"
    spec.write_text(SPEC)
    network = archspec.load(str(spec), classes=2, **{"train.epochs": 2, "train.batch_size": 4})
    stop = Watcher(at_end=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert archspec.train(network, str(data), out=out, validation_split=0.5, progress=stop).interrupted
    data.rename(tmp_path / "moved")
    with pytest.raises(archspec.ArchspecError) as caught:
        archspec.resume(out, progress=Watcher())
    (found,) = caught.value.diagnostics
    assert found.code == "data-not-found"
    assert found.notes[-1].startswith(f'the run was started with `data="{data}"`; ')
    assert archspec.resume(out, data=str(tmp_path / "moved"), progress=Watcher()).epochs == 2
