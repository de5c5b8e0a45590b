"""Small sets of images, in memory and in files, and the batches that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from archspec.runtime.data.images import Images
from archspec.transforms import TRANSFORMS, Transform

INPUT = (7, 5, 3)
RNG = np.random.default_rng(8)


def t(name: str, **args: Any) -> Transform:
    return TRANSFORMS[name].make(args)


AUGMENT = (t("pad", pixels=2), t("random_crop"), t("random_flip"))
SCALE = (t("scale"),)


def in_memory(count: int = 11, shape: tuple[int, ...] = INPUT) -> Images:
    """Images whose label is their number, so that a batch tells its rows."""
    x = RNG.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(tuple(f"c{i}" for i in range(count)), np.arange(count, dtype=np.int32), x)


def in_files(root: Path, shapes: list[tuple[int, ...]]) -> tuple[Images, list[np.ndarray]]:
    arrays = [RNG.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    files = [str(root / f"{i}.png") for i in range(len(shapes))]
    for file, array in zip(files, arrays, strict=True):
        Image.fromarray(array).save(file)
    labels = np.arange(len(shapes), dtype=np.int32)
    return Images(tuple(f"c{i}" for i in labels), labels, files=tuple(files)), arrays


def batches(dataset: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(x.numpy(), y.numpy()) for x, y in dataset]


def assert_same(left: list[tuple[np.ndarray, np.ndarray]], right: list[tuple[np.ndarray, np.ndarray]]) -> None:
    assert len(left) == len(right)
    for (x, y), (other_x, other_y) in zip(left, right, strict=True):
        np.testing.assert_array_equal(y, other_y)
        np.testing.assert_array_equal(x, other_x)
