"""One run for all tests: six classes of small images in files, whose names would break a page that did not escape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import archspec
from tests.cli.conftest import run as run

NAMES = ("<img src=x onerror=alert(1)>", '"quoted" & co', "ant", "bee|`x`*", "cow\u202e", "élan")
TRAINING, VALIDATION = 6, 4
"""Images of each class."""

SPEC = """\
name: small
input: [12, 12, 3]
params: {classes: 6}
layers:
  - conv: {filters: 8, kernel_size: 3, padding: same}
  - relu
  - maxpool: {pool_size: 2}
  - global_avgpool
  - dense: $classes
  - softmax
preprocess: [scale: 0.00392156862745098]
train:
  epochs: 2
  batch_size: 12
  optimizer: {sgd: {learning_rate: 0.5, momentum: 0.9}}
  weight_decay: 1e-3
  augment: [random_flip, {random_shift: 2}]
"""


def write_images(folder: Path) -> None:
    """A color for each class, with so much noise that the network makes mistakes."""
    generator = np.random.default_rng(0)
    colors = generator.uniform(60, 200, (len(NAMES), 3))
    for part, count in (("train", TRAINING), ("val", VALIDATION)):
        for name, color in zip(NAMES, colors, strict=True):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = np.clip(color + generator.normal(0, 60, (14, 16, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory; its data is in the folder `images` beside it."""
    folder = tmp_path_factory.mktemp("report")
    write_images(folder / "images")
    (folder / "small.yaml").write_text(SPEC)
    archspec.train(str(folder / "small.yaml"), folder / "images", out=folder / "run", seed=3)
    return folder / "run"


@pytest.fixture(scope="session")
def report(trained: Path) -> archspec.RunReport:
    return archspec.report(trained, protocols=["center", "ten-crop"])
