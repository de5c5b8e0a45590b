"""Runs that end early, by a signal, a kill or a full disk, and go on to the same end."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.lang.recipes.recipe import recipe, recipe_json
from archspec.runtime.system.signals import stop_requests
from archspec.runtime.training.records.checkpoint import files, read_checkpoint
from archspec.runtime.training.train import resume, train
from tests.cli.conftest import Run, run  # noqa: F401
from tests.runtime.small_specs import SPEC
from tests.runtime.training.resuming import go_on, refused
from tests.runtime.training.same_bits import differences, result
from tests.runtime.training.test_train_run import Watcher, history, once

STEPS = 9  # an epoch: 1,347 images in batches of 150


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("specs") / "small.yaml"
    path.write_text(SPEC)
    return str(path)


@pytest.fixture(scope="module")
def whole(spec: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed, with two checkpoints inside each epoch."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(archspec.load(spec), "digits", out=out, checkpoint_every="4steps", progress=Watcher())
    return out


def test_a_signal_in_an_epoch_leaves_a_checkpoint_of_that_step(spec: str, whole: Path, tmp_path: Path) -> None:
    number = signal.SIGTERM
    out = tmp_path / "run"
    ended = train(archspec.load(spec), "digits", out=out, progress=Watcher(at_step=once(number, epoch=2)))
    assert (ended.signal, ended.interrupted, ended.epochs) == (number, True, 1)
    assert ended.next_commands()[0] == f"archspec train --resume {out}"
    progress = read_checkpoint(files(out)[0]).state["progress"]
    assert progress["epoch"] == 1
    assert progress["metrics"]["examples"] == min(150 * progress["done"], 1347)  # the sums of the epoch so far
    assert json.loads((out / "run.json").read_text())["interrupted"] is True
    seen = go_on(out)
    assert f"resuming at epoch 2, after {progress['done']} of its 9 steps" in seen.lines
    assert [key for key in differences(result(whole), result(out)) if key != "checkpoints"] == []
    assert len(json.loads((out / "run.json").read_text())["resumed"]) == 1


def test_a_signal_during_validation_goes_on_with_the_validation(spec: str, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    watcher = Watcher(at_end=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert train(archspec.load(spec), "digits", out=out, progress=watcher).epochs == 0
    assert files(out)[0].name == "step-000000009.safetensors"
    assert read_checkpoint(files(out)[0]).state["progress"]["done"] == STEPS
    go_on(out)
    assert [key for key in differences(result(whole), result(out)) if key != "checkpoints"] == []


def cut_back(whole: Path, out: Path) -> None:
    """A copy of the run as if it had been killed after its last checkpoints."""
    shutil.copytree(whole, out)
    settings = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**settings, "finished": None}))


def test_a_damaged_checkpoint_costs_the_way_from_the_one_before(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    cut_back(whole, out)
    newest, before = files(out)
    newest.write_bytes(newest.read_bytes()[:-100])
    (out / "history.csv").write_text("half")
    (out / ".last.99999999.tmp.keras").touch()
    seen = go_on(out)
    assert (
        seen.lines[0]
        == f"`{newest}` cannot be used: it is damaged, or not a checkpoint of archspec; resuming from `{before.name}`"
    )
    assert differences(result(whole), result(out)) == []


def test_a_run_killed_before_its_first_checkpoint_starts_again(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    cut_back(whole, out)
    for name in ("checkpoints", "tensorboard"):
        shutil.rmtree(out / name)
    for name in ("best.keras", "last.keras", "history.csv", "times.csv", "curves.png", "example.png"):
        (out / name).unlink()
    go_on(out)
    assert differences(result(whole), result(out)) == []


def test_a_finished_run_is_left_as_it_is(whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    watcher = Watcher()
    ended = resume(whole, archspec.load, progress=watcher)
    assert watcher.lines == [f"`{whole}` is already finished; nothing to do"]
    assert (ended.epochs, ended.signal) == (3, None)
    assert f"best validation top-1 {100 * max(row['val_top1'] for row in history(whole)):.2f} %" in ended.summary()
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_what_is_no_run_is_refused(whole: Path, tmp_path: Path) -> None:
    assert "cannot read run.json" in refused("not-a-run", tmp_path).message
    out = tmp_path / "run"
    cut_back(whole, out)
    settings = (out / "run.json").read_text()
    others = [settings.replace(*pair) for pair in (('"sgd"', '"adamw_"'), ('"seed"', '"sead"'), ('"sha256"', '"md5"'))]
    for text in ("", "[]", "{}", *others):
        (out / "run.json").write_text(text)
        refused("not-a-run", out)
    (out / "run.json").write_text(settings)
    spec = (out / "spec.yaml").read_text()
    (out / "spec.yaml").write_text(spec.replace("dropout: 0.1", "dropout: 0.2"))
    assert "spec.yaml was changed" in refused("checkpoint-differs", out).message
    (out / "spec.yaml").unlink()
    refused("not-a-run", out)
    (out / "spec.yaml").write_text(spec)
    for path in files(out):
        path.write_bytes(b"")
    refused("no-checkpoint", out)


def test_the_recipe_of_a_run_comes_back_as_it_was(spec: str) -> None:
    """All recipes that are shipped, by way of run.json's text."""
    recipes = [network.recipe for family in archspec.api.families() for network in archspec.api.networks(family)]
    assert len(recipes) > 20
    for each in [archspec.load(spec).recipe, *recipes]:
        assert recipe(json.loads(json.dumps(recipe_json(each)))) == each


@pytest.mark.slow
def test_a_full_disk_stops_with_one_error_and_the_run_goes_on_afterwards(
    spec: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the files it is that does not fit: each in turn, in one run that is resumed after each."""
    out, full, real = tmp_path / "run", list[str](), os.replace

    def replace(source: Path, target: Path) -> None:
        if [Path(target).name] == full:
            full.clear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    def begin() -> None:
        train(archspec.load(spec), "digits", out=out, checkpoint_every="4steps", progress=Watcher())

    monkeypatch.setattr(os, "replace", replace)
    checkpoint = "step-000000{:03}.safetensors".format
    for name in (
        "images.npz",
        "spec.yaml",
        "run.json",
        checkpoint(4),
        "last.keras",
        "best.keras",
        "history.csv",
        "times.csv",
        checkpoint(18),
        "curves.png",
    ):
        full.append(name)
        begun = (out / "run.json").exists()
        with pytest.raises(ArchspecError) as caught:
            go_on(out) if begun else begin()
        (told,) = caught.value.diagnostics
        assert told.code == "cannot-write"
        assert told.message.endswith(f"{name}`: no space left on device")
        assert not full
        if files(out):
            assert f'`archspec.resume("{out}")`' in told.notes[-1]
            assert json.loads((out / "run.json").read_text())["errors"][0]["code"] == "cannot-write"
    go_on(out)
    assert differences(result(whole), result(out)) == []


def test_a_closed_terminal_before_the_first_step_leaves_a_checkpoint_after_it(
    spec: str, whole: Path, tmp_path: Path
) -> None:
    class Closed(Watcher):
        def start(self, *_: int, **__: bool) -> None:
            os.kill(os.getpid(), signal.SIGHUP)

    ended = train(archspec.load(spec), "digits", out=tmp_path / "run", progress=Closed())
    assert ended.signal == signal.SIGHUP
    assert files(tmp_path / "run")[0].name == "step-000000001.safetensors"
    go_on(tmp_path / "run")
    assert [key for key in differences(result(whole), result(tmp_path / "run")) if key != "checkpoints"] == []


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requests(print) as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.made
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.signal == signal.SIGTERM
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_same_seed_twice_gives_the_same_bits_and_the_machine_is_written_down(
    spec: str, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    train(archspec.load(spec), "digits", out=out, checkpoint_every="4steps", progress=Watcher())
    assert differences(result(whole), result(out)) == []
    settings = json.loads((out / "run.json").read_text())
    assert settings["threads"]["processors"] == os.cpu_count()
    assert settings["versions"]["tensorflow"]
    assert settings["processor"]["name"]
    assert (settings["seed"], settings["devices"]) == (0, "1 CPU")
    train(archspec.load(spec), "digits", out=tmp_path / "other", checkpoint_every="4steps", seed=1, progress=Watcher())
    assert "history" in differences(result(whole), result(tmp_path / "other"))


def test_the_command_line(run: Run, spec: str, whole: Path, tmp_path: Path) -> None:  # noqa: F811
    status, out, _ = run("train", "--resume", whole)
    assert status == 0
    assert "trained after 3 epochs" in out
    for arguments, said in (
        (("--resume", whole, "--epochs", 5), "--resume uses the network, the recipe and the seed of the run"),
        (("--resume", whole, "lenet"), "REF cannot be changed"),
        (("lenet",), "Missing option '--data'"),
        (("--data", "digits"), "Missing argument 'REF'"),
    ):
        status, _, err = run("train", *arguments)
        assert status == 2
        assert said in err
    status, _, err = run("train", spec, "--data", "digits", "--checkpoint-every", "soon", "-o", tmp_path / "never")
    assert status == 1
    assert err.startswith("error[checkpoint-every]: `soon` is not a number of steps or a time")
    assert not (tmp_path / "never").exists()


def test_repeating_a_command_starts_resumes_and_ends_a_run(spec: str, whole: Path, tmp_path: Path) -> None:
    """Of a loop that restarts a killed job: nothing is there, then a start without a run, then a run, then its end."""
    out = tmp_path / "run"

    def again(progress: Watcher, **options: object) -> archspec.RunResult:
        given = {"checkpoint_every": "4steps", "resume_if_exists": True, **options}
        return archspec.train(spec, "digits", out=out, progress=progress, **given)  # type: ignore[arg-type]

    out.mkdir()
    (out / ".lock").touch()
    (out / "example.png").touch()
    with pytest.raises(ArchspecError, match="stopped before its first step, so there is nothing to resume"):
        archspec.resume(out)
    assert again(Watcher(at_step=once(signal.SIGTERM, epoch=2))).interrupted
    with pytest.raises(ArchspecError, match="was started with another seed") as caught:
        again(Watcher(), seed=5)
    assert caught.value.diagnostics[0].code == "output-exists"
    with pytest.raises(ArchspecError, match="was started with another spec, recipe"):
        again(Watcher(), classes=10, epochs=9)
    assert not again(Watcher()).interrupted
    assert [key for key in differences(result(whole), result(out)) if key != "checkpoints"] == []
    leftover = out / ".best.1.tmp.keras"
    leftover.touch()
    seen = Watcher()
    ended = again(seen)
    assert seen.lines == [f"`{out}` is already finished; nothing to do"]
    assert not leftover.exists()
    assert not (out / ".lock").exists()
    assert len(ended.next_commands()) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs the run directory"),
        ({"overwrite": True, "out": "x"}, "`overwrite` and `resume_if_exists` are mutually"),
    ],
)
def test_resuming_needs_a_place_to_resume_from(spec: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ArchspecError, match=words):
        archspec.train(spec, "digits", resume_if_exists=True, **options)  # type: ignore[arg-type]


def test_the_example_is_there_before_the_run_is_called_finished(spec: str, whole: Path, tmp_path: Path) -> None:
    """run.json with `finished` is written last: a process that is killed after it has nothing left to do."""
    assert (whole / "example.png").is_file()
    last = max(whole.rglob("*"), key=lambda path: (path.stat().st_mtime_ns, path.name == "run.json"))
    assert last.relative_to(whole) in (Path("run.json"), Path("."))


def test_next_commands_name_only_files_that_are_there(whole: Path, tmp_path: Path) -> None:
    cut_back(whole, tmp_path / "run")
    ended = archspec.RunResult(tmp_path / "run", signal.SIGTERM, 1, 1.0, 1, 0.5, ("--data", "digits"), None)
    assert [command.split()[1] for command in ended.next_commands()] == ["train", "evaluate", "report", "export"]
    for name in ("best.keras", "last.keras"):
        (tmp_path / "run" / name).unlink()
    assert [command.split()[1] for command in ended.next_commands()] == ["train"]


def test_a_result_has_the_history_of_its_run(whole: Path) -> None:
    ended = archspec.RunResult(whole, None, 3, 1.0, 1, 0.5, ("--data", "digits"), None)
    assert [row["epoch"] for row in ended.history] == [1, 2, 3]
    assert [row["val_top1"] for row in ended.history] == [float(row["val_top1"]) for row in history(whole)]
    assert str(ended) == f"trained after 3 epochs in 1.0 s; best validation top-1 50.00 % in epoch 1, saved in {whole}"
    assert archspec.RunResult(whole / "new", None, 0, 1.0, None, None, (), None).history == []
