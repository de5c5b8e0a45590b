"""Generated images of one shape each, whose place is known, as a data source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.labs.generated import SHAPES, GeneratedImages, shapes
from archspec.runtime.system.atomic_write import atomic

CLASSES = SHAPES[:4]
Change = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int64], np.random.Generator], npt.NDArray[np.uint8]]
"""Changes images (N, H, W, C) of these classes (N,)."""


def drawn(count: int, seed: int, noise: float) -> GeneratedImages:
    """Images with one of four shapes in any color."""
    of = {"shape": CLASSES, "texture": ("plain",)}
    return shapes(count, np.random.default_rng(seed), of=of, noise=noise)


def write_data(path: Path, train: GeneratedImages, test: GeneratedImages, change: Change | None = None) -> str:
    """Write a data source as one .npz, once, its training images changed. Returns its path."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels, labels = train.pixels, train.factors["shape"]
        if change is not None:
            pixels = change(pixels, labels, np.random.default_rng([*b"change"]))  # not the numbers of `drawn`
        arrays: dict[str, Any] = {"x_train": pixels, "y_train": labels.astype(np.int32)}
        arrays |= {"x_val": test.pixels, "y_val": test.factors["shape"].astype(np.int32)}
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, class_names=np.array(CLASSES), **arrays)
    return str(path)


def inside_boxes(images: GeneratedImages) -> npt.NDArray[np.bool_]:
    """Which pixels lie in the box around the shape, (N, H, W)."""
    height, width = images.pixels.shape[1:3]
    rows, columns = np.arange(height)[None, :, None], np.arange(width)[None, None, :]
    left, top, right, bottom = (images.boxes[:, side, None, None] for side in range(4))
    found: npt.NDArray[np.bool_] = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return found
