"""Images that change while a run lasts, and a run that goes on when they are back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.diagnostics import ArchspecError
from archspec.runtime.training.records.checkpoint import files
from archspec.runtime.training.train import train
from tests.runtime.small_specs import SPEC
from tests.runtime.training.resuming import go_on, refused
from tests.runtime.training.same_bits import differences, result
from tests.runtime.training.test_train_run import Watcher


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("specs") / "small.yaml"
    path.write_text(SPEC)
    return str(path)


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
def of_photos(spec: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images `photos`, and `whole`, a run on them that nothing disturbed."""
    folder = tmp_path_factory.mktemp("of-photos")
    photos(folder / "photos", [8, 9] * 15)
    network = archspec.load(spec, **{"classes": 2, "train.batch_size": 2, "train.epochs": 2})
    train(network, str(folder / "photos"), out=folder / "whole", progress=Watcher())
    return folder


@pytest.mark.parametrize(
    ("part", "how"),
    [
        pytest.param("train", "another image", marks=pytest.mark.slow),
        pytest.param("train", "a smaller image", marks=pytest.mark.slow),
        pytest.param("val", "gone", marks=pytest.mark.slow),
    ],
)
def test_an_image_that_changes_in_mid_epoch_is_named_and_the_run_goes_on_when_it_is_back(
    spec: str, of_photos: Path, tmp_path: Path, part: str, how: str
) -> None:
    """Nothing that was read of it is kept: the last checkpoint is that of the end of the epoch before."""
    data = tmp_path / "photos"
    shutil.copytree(of_photos / "photos", data)
    network = archspec.load(spec, **{"classes": 2, "train.batch_size": 2, "train.epochs": 2})
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
    assert "archspec.resume(" in diagnostic.help
    assert files(out)[0].name == "step-000000030.safetensors"
    said = refused("data-changed", out)
    which = "training" if part == "train" else "validation"
    assert said.message == f"the {which} images of `{data}` have changed since the run started"
    if how == "gone":
        assert said.notes == (
            "there were 60 images, and now there are 59",
            "images that were removed since the run started: 1",
        )
    else:
        assert said.notes[0] == f"new, changed or relabelled images: `{victim}`"
    victim.write_bytes(good)
    moved = tmp_path / "elsewhere"
    data.rename(moved)
    go_on(out, data=str(moved))
    assert differences(result(of_photos / "whole"), result(out)) == []
    assert json.loads((out / "run.json").read_text())["data"] == str(moved)  # the next time it need not be said
