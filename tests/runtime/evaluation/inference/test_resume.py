"""An evaluation that is killed goes on where it was, and gives what it would have given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from archspec import evaluate_all
from archspec.diagnostics import ArchspecError
from archspec.runtime.evaluation.inference.journal import HEAD
from tests.runtime.evaluation.conftest import SIDES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

BATCH = 50  # views: one image of multi-crop
ROW = 8 + 4 * 6  # bytes of an image in a journal: its number and six posteriors

Write = Callable[[Path, list[tuple[int, int]]], dict[str, Any]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder without the journals of other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def journals(cache: Path) -> list[Path]:
    return sorted((cache / "archspec" / "evaluations").glob("*.rows"))


@pytest.mark.slow
def test_a_killed_evaluation_resumes(model: Path, cache: Path, write_images: Write, tmp_path: Path) -> None:
    """SIGKILL after a few batches; on two devices before, on one afterwards. Of one batch at most the work is lost."""
    folder = tmp_path / "animals"
    write_images(folder, SIDES * 6)
    arguments = [model, "--data", folder, "--protocol", "multi-crop", "--batch-size", BATCH, "--devices", "2"]
    command = [sys.executable, "-m", "archspec", "evaluate", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (found := journals(cache)) or found[0].stat().st_size < 5 * (HEAD.size + ROW):
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    (kept,) = journals(cache)
    done = kept.stat().st_size // (HEAD.size + ROW)  # one image a record
    assert 5 <= done < len(SIDES) * 12
    with kept.open("ab") as file:
        file.write(b"rows\x01\x00")  # a record that was cut off

    said: list[str] = []
    (resumed,) = evaluate_all([model], str(folder), protocols=["multi-crop"], batch_size=BATCH, report=said.append)
    assert f"{done:,} of 108 images were done before the last run was stopped" in said
    assert journals(cache) == []  # all is done: nothing stays behind
    (fresh,) = evaluate_all([model], str(folder), protocols=["multi-crop"], batch_size=BATCH, report=said.append)
    assert sum("were done before" in line for line in said) == 1
    np.testing.assert_allclose(resumed.predictions.posteriors, fresh.predictions.posteriors, atol=1e-6)
    assert resumed.predictions.images == fresh.predictions.images
    assert resumed.images_per_second


def test_a_table_that_is_stopped_keeps_its_finished_rows(
    model: Path, cache: Path, write_images: Write, tmp_path: Path
) -> None:
    """An image that disappears ends the second protocol; the first is not computed again."""
    folder = tmp_path / "animals"
    write_images(folder, SIDES)
    said: list[str] = []
    interrupted = False

    def report(line: str) -> None:
        nonlocal interrupted
        said.append(line)
        if line.endswith("dense") and not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_all([model], str(folder), protocols=["ten-crop", "dense"], report=report)
    assert len(journals(cache)) == 1
    rows = evaluate_all([model], str(folder), protocols=["ten-crop", "dense"], report=report)
    assert said.count("18 of 18 images were done before the last run was stopped") == 1
    assert [row.protocol for row in rows] == ["ten-crop", "dense"]
    assert journals(cache) == []


@pytest.mark.slow
def test_another_model_image_or_protocol_begins_anew(
    model: Path, cache: Path, write_images: Write, tmp_path: Path
) -> None:
    """What the posteriors depend on is in the key of the journal."""
    folder = tmp_path / "animals"
    files = write_images(folder, SIDES)
    used = tmp_path / "used.keras"
    used.write_bytes(model.read_bytes())
    said: list[str] = []

    def stop(line: str) -> None:
        said.append(line)
        if sum(each.startswith(f"{used}: ") for each in said) == 2:  # at the second model
            raise KeyboardInterrupt

    def resumed(protocol: str = "center") -> bool:
        said.clear()
        with pytest.raises(KeyboardInterrupt):
            evaluate_all([used, used], str(folder), protocols=[protocol], report=stop)
        return any("were done before" in line for line in said)

    assert not resumed()
    assert resumed()  # the same again, which is stopped at once
    with zipfile.ZipFile(used, "a") as archive:
        archive.writestr("note.txt", "another file")
    assert not resumed()
    changed = next(iter(files))
    ImageOps.invert(Image.open(changed)).save(changed)
    assert not resumed()
    os.utime(changed, (1, 1))  # the same image
    assert resumed()
    assert not resumed("center: 14")


@pytest.mark.parametrize("protocol", ["center", "ten-crop"])
def test_an_image_that_goes_away_is_named_with_the_way_back(
    protocol: str, model: Path, cache: Path, write_images: Write, tmp_path: Path
) -> None:
    folder = tmp_path / "animals"
    gone = Path(list(write_images(folder, SIDES))[-1])

    def lose(line: str) -> None:
        if line.endswith(protocol):  # the images are known, and not yet read
            gone.unlink()

    with pytest.raises(ArchspecError) as caught:
        evaluate_all([model], str(folder), protocols=[protocol], report=lose)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "data-changed"
    assert str(gone) in diagnostic.notes[0]
    assert diagnostic.help == "restore it, and run the same command again to continue"
