"""Every lab of archspec at the tiny scale, which checks its machinery and not its verdict."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

import archspec
from archspec.runtime.labs.progress import LabProgress
from archspec.runtime.labs.read_lab import lab_names, lab_source, read_lab
from archspec.runtime.labs.result import Verdict
from archspec.runtime.labs.run_lab import PACKAGES


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of 32 x 32 pixels in the ten classes of CIFAR-10, each with its own color."""
    path = tmp_path_factory.mktemp("photos") / "photos.npz"
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 200), ("val", 100)):
        labels = np.arange(count) % 10
        color = np.random.default_rng(1).integers(0, 200, (10, 1, 1, 3))[labels]
        arrays[f"x_{part}"] = (color + rng.integers(0, 56, (count, 32, 32, 3))).astype(np.uint8)
        arrays[f"y_{part}"] = labels
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    np.savez(path, class_names=np.array(names), **arrays)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", lab_names())
def test_a_lab_runs_at_the_tiny_scale(name: str, photos: Path, tmp_path: Path) -> None:
    lab = read_lab(lab_source(name))
    if any(find_spec(each) is None for each in PACKAGES.get(lab.extra, ())):
        pytest.skip(f"needs the extra {lab.extra}")
    data = photos if lab.data == "photos" else None
    result = archspec.lab(name, out=tmp_path / "out", data=data, scale="tiny", progress=LabProgress(silent=True))
    assert result.verdict in get_args(Verdict)
    assert result.reason
    assert result.criterion
    assert result.figures
    for path in result.figures:
        with Image.open(path) as image:
            assert min(image.size) > 300
        assert path.stat().st_size < 150_000
    assert all(len(row) == len(result.columns) for row in result.rows)
    if lab.arms:
        assert [row[0] for row in result.rows] == [arm for arm, each in lab.arms.items() if each.compared]
        assert len(result.differences) == len(lab.compare)
        assert all(math.isfinite(each.value) for each in result.differences)
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.slow
def test_a_lab_takes_the_number_of_classes_from_the_data(tmp_path: Path) -> None:
    """Four classes, where the lab was written for the ten of CIFAR-10; images of 40 x 36 pixels are made smaller."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 255, (96, 40, 36, 3)).astype(np.uint8)
    np.savez(tmp_path / "four.npz", x_train=x[:64], y_train=np.arange(64) % 4, x_val=x[64:], y_val=np.arange(32) % 4)
    quiet = LabProgress(silent=True)
    result = archspec.lab("averaging", out=tmp_path / "out", data=tmp_path / "four.npz", scale="tiny", progress=quiet)
    run = archspec.load(str(tmp_path / "out" / "runs" / "CNN-seed0"))
    assert run.graph().output_shape == (4,)
    assert result.seeds == 2
