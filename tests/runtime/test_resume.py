"""Runs that end early, by a signal, a full disk, changed images or a loss that blew up, and go on to the same end."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.diagnostics import ArchspecError
from archspec.lang.recipe import recipe
from archspec.runtime.checkpoint import files
from archspec.runtime.checkpoint_file import read_checkpoint
from archspec.runtime.interrupt import Interrupt
from archspec.runtime.recipe_text import recipe_json
from archspec.runtime.train import resume, train
from archspec.transforms import TRANSFORMS
from tests.cli.conftest import Run, run  # noqa: F401
from tests.runtime.killing import BLOWN, PAGE, differences, result
from tests.runtime.test_train_run import Watcher, history, once

STEPS = 9  # an epoch: 1,347 images in batches of 150


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("pages") / "small.yaml"
    path.write_text(PAGE)
    return str(path)


@pytest.fixture(scope="module")
def whole(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed, with two checkpoints inside each epoch."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(archspec.load(page), "digits", out=out, checkpoint_every="4steps", progress=Watcher())
    return out


def go_on(out: Path, **arguments: Any) -> Watcher:
    watcher = Watcher()
    resume(out, archspec.load, progress=watcher, **arguments)
    return watcher


def refused(code: str, out: Path, **arguments: Any) -> Any:
    with pytest.raises(ArchspecError) as caught:
        go_on(out, **arguments)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.help
    return diagnostic


def test_a_signal_in_an_epoch_leaves_a_checkpoint_of_that_step(page: str, whole: Path, tmp_path: Path) -> None:
    number = signal.SIGTERM
    out = tmp_path / "run"
    ended = train(archspec.load(page), "digits", out=out, progress=Watcher(at_step=once(number, epoch=2)))
    assert (ended.signal, ended.interrupted, ended.epochs) == (number, True, 1)
    assert ended.next_commands()[0] == f"archspec train --resume {out}"
    position = read_checkpoint(files(out)[0]).state["position"]
    assert position["epoch"] == 1
    assert position["score"]["examples"] == min(150 * position["done"], 1347)  # the sums of the epoch so far
    assert json.loads((out / "run.json").read_text())["interrupted"] is True
    seen = go_on(out)
    assert f"going on from epoch 2, after {position['done']} of its 9 steps" in seen.lines
    assert [key for key in differences(result(whole), result(out)) if key != "checkpoints"] == []
    assert len(json.loads((out / "run.json").read_text())["resumed"]) == 1


def test_a_signal_during_validation_goes_on_with_the_validation(page: str, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    watcher = Watcher(at_end=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert train(archspec.load(page), "digits", out=out, progress=watcher).epochs == 0
    assert files(out)[0].name == "step-000000009.safetensors"
    assert read_checkpoint(files(out)[0]).state["position"]["done"] == STEPS
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
        seen.lines[0] == f"`{newest}` cannot be used: its checksum is wrong; going on from `{before.name}`, before it"
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
    assert watcher.lines == [f"`{whole}` is finished, and left as it is"]
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
    page = (out / "page.yaml").read_text()
    (out / "page.yaml").write_text(page.replace("dropout: 0.1", "dropout: 0.2"))
    assert "page.yaml was changed" in refused("checkpoint-differs", out).message
    (out / "page.yaml").unlink()
    refused("not-a-run", out)
    (out / "page.yaml").write_text(page)
    for path in files(out):
        path.write_bytes(b"")
    refused("no-checkpoint", out)


def test_the_recipe_of_a_run_comes_back_as_it_was(page: str) -> None:
    """All recipes that are shipped, by way of run.json's text."""
    recipes = [network.recipe for family in archspec.api.families() for network in archspec.api.networks(family)]
    assert len(recipes) > 20
    for each in [archspec.load(page).recipe, *recipes]:
        assert recipe(json.loads(json.dumps(recipe_json(each))), TRANSFORMS) == each


def test_a_full_disk_stops_with_one_error_and_the_run_goes_on_afterwards(
    page: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the files it is that does not fit: each in turn, in one run that is resumed after each."""
    out, full, real = tmp_path / "run", list[str](), os.replace

    def replace(source: Path, target: Path) -> None:
        if [Path(target).name] == full:
            full.clear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    def begin() -> None:
        train(archspec.load(page), "digits", out=out, checkpoint_every="4steps", progress=Watcher())

    monkeypatch.setattr(os, "replace", replace)
    checkpoint = "step-000000{:03}.safetensors".format
    for name in (
        "images.npz",
        "page.yaml",
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
            assert f"`archspec train --resume {out}`" in told.notes[-1]
            assert json.loads((out / "run.json").read_text())["errors"][0]["code"] == "cannot-write"
    go_on(out)
    assert differences(result(whole), result(out)) == []


def test_a_closed_terminal_before_the_first_step_leaves_a_checkpoint_after_it(
    page: str, whole: Path, tmp_path: Path
) -> None:
    class Closed(Watcher):
        def start(self, *_: int, **__: bool) -> None:
            os.kill(os.getpid(), signal.SIGHUP)

    ended = train(archspec.load(page), "digits", out=tmp_path / "run", progress=Closed())
    assert ended.signal == signal.SIGHUP
    assert files(tmp_path / "run")[0].name == "step-000000001.safetensors"
    go_on(tmp_path / "run")
    assert [key for key in differences(result(whole), result(tmp_path / "run")) if key != "checkpoints"] == []


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` asks for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt(print) as interrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupt.requested
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.signal == signal.SIGTERM
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_loss_that_is_no_number_names_the_layer(tmp_path: Path) -> None:
    """From the second epoch on the rate is 10^15: its first step makes weights of about 10^13 in each of three layers:
    two of them give 10^26, three 10^39, and float32 ends at 3 10^38."""
    path = tmp_path / "blown.yaml"
    path.write_text(BLOWN)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(str(path)), "digits", out=tmp_path / "run", progress=Watcher())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "diverged"
    assert diagnostic.message.startswith("the loss is ")
    assert diagnostic.message.endswith("at step 2 of 9 in epoch 2")
    assert diagnostic.notes[0] == "`three` is the first layer whose output is not finite"
    assert "e+2" in diagnostic.notes[1]
    assert diagnostic.notes[1].endswith("of `two`")
    assert diagnostic.notes[2].startswith("the checkpoint of step 9 is kept")
    assert files(tmp_path / "run")[0].name == "step-000000009.safetensors"


def test_an_output_beyond_float16_stops_the_run_with_the_layer(tmp_path: Path) -> None:
    """Pixels of up to 255 x 300 = 76,500 are finite in float32; the first layer reads them as float16."""
    path = tmp_path / "half.yaml"
    page = BLOWN.replace("0.00392156862745098", "300").replace("epochs: 3,", "epochs: 3, dtype_policy: mixed_float16,")
    path.write_text(page)
    with pytest.raises(ArchspecError) as caught:
        train(archspec.load(str(path)), "digits", out=tmp_path / "run", progress=Watcher())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "diverged"
    assert diagnostic.message == "the loss is nan at step 1 of 9 in epoch 1"
    assert diagnostic.notes[0] == "`one` is the first layer whose output is not finite"
    assert "65,504" in diagnostic.notes[-1]
    assert "mixed_bfloat16" in diagnostic.help
    assert [file.name for file in files(tmp_path / "run")] == ["step-000000000.safetensors"]


def photos(folder: Path, sizes: list[int]) -> Path:
    """Two classes of grey PNG files, in `train/` and `val/`; of two sizes, so that they are not kept in memory."""
    generator = np.random.default_rng(0)
    for part in ("train", "val"):
        for label in "ab":
            (folder / part / label).mkdir(parents=True)
            for number, size in enumerate(sizes):
                pixels = generator.integers(0, 256, (size, size), np.uint8)
                Image.fromarray(pixels).save(folder / part / label / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def of_photos(page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images `photos`, and `whole`, a run on them that nothing disturbed."""
    folder = tmp_path_factory.mktemp("of-photos")
    photos(folder / "photos", [8, 9] * 15)
    network = archspec.load(page, **{"classes": 2, "train.batch_size": 2, "train.epochs": 2})
    train(network, str(folder / "photos"), out=folder / "whole", progress=Watcher())
    return folder


@pytest.mark.parametrize(("part", "how"), [("train", "a smaller image"), ("train", "another image"), ("val", "gone")])
def test_an_image_that_changes_in_mid_epoch_is_named_and_the_run_goes_on_when_it_is_back(
    page: str, of_photos: Path, tmp_path: Path, part: str, how: str
) -> None:
    """Nothing that was read of it is kept: the last checkpoint is that of the end of the epoch before."""
    data = tmp_path / "photos"
    shutil.copytree(of_photos / "photos", data)
    network = archspec.load(page, **{"classes": 2, "train.batch_size": 2, "train.epochs": 2})
    victim, changed = data / part / "b" / "3.png", []
    good, status = victim.read_bytes(), victim.stat()

    def change(epoch: int) -> None:
        if epoch != 2 or changed:
            return
        changed.append(epoch)
        if how == "gone":
            victim.unlink()
        elif how == "a smaller image":
            Image.new("L", (3, 3), 9).save(victim)
        else:  # as large, and as if written at the same time
            Image.fromarray(255 - np.asarray(Image.open(victim))).save(victim)
            os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))

    out = tmp_path / "run"
    with pytest.raises(ArchspecError) as caught:
        train(network, str(data), out=out, progress=Watcher(at_step=change))
    (diagnostic,) = caught.value.diagnostics
    assert changed
    assert diagnostic.code == "data-changed"
    assert diagnostic.notes[0].startswith(f"{victim}: ")
    assert "--resume" in diagnostic.help
    assert files(out)[0].name == "step-000000030.safetensors"
    said = refused("data-changed", out)
    which = "training" if part == "train" else "validation"
    assert said.message == f"the {which} images of `{data}` are not those that the run began with"
    if how == "gone":
        assert said.notes == ("then 60 images, now 59", "1 of those that it began with is not there")
    else:
        assert said.notes[0] == f"new, or with other contents or another label: `{victim}`"
    victim.write_bytes(good)
    moved = tmp_path / "elsewhere"
    data.rename(moved)
    go_on(out, data=str(moved))
    assert differences(result(of_photos / "whole"), result(out)) == []
    assert json.loads((out / "run.json").read_text())["data"] == str(moved)  # the next time it need not be said


def test_the_same_seed_twice_gives_the_same_bits_and_the_machine_is_written_down(
    page: str, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    train(archspec.load(page), "digits", out=out, checkpoint_every="4steps", progress=Watcher())
    assert differences(result(whole), result(out)) == []
    settings = json.loads((out / "run.json").read_text())
    assert settings["threads"]["processors"] == os.cpu_count()
    assert settings["versions"]["tensorflow"]
    assert (settings["seed"], settings["devices"]) == (0, "1 CPU")
    train(archspec.load(page), "digits", out=tmp_path / "other", checkpoint_every="4steps", seed=1, progress=Watcher())
    assert "history" in differences(result(whole), result(tmp_path / "other"))


def test_the_command_line(run: Run, page: str, whole: Path, tmp_path: Path) -> None:  # noqa: F811
    status, out, _ = run("train", "--resume", whole)
    assert status == 0
    assert "trained after 3 epochs" in out
    for arguments, said in (
        (("--resume", whole, "--epochs", 5), "--resume takes the network, the recipe and the seed of its run"),
        (("--resume", whole, "lenet"), "and no REF"),
        (("lenet",), "Missing option '--data'"),
        (("--data", "digits"), "Missing argument 'REF'"),
    ):
        status, _, err = run("train", *arguments)
        assert status == 2
        assert said in err
    status, _, err = run("train", page, "--data", "digits", "--checkpoint-every", "soon", "-o", tmp_path / "never")
    assert status == 1
    assert err.startswith("error[checkpoint-every]: `soon` is neither a number of steps nor a time")
    assert not (tmp_path / "never").exists()
