"""Image files and .npz files of random pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RNG = np.random.default_rng(5)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def folder(root: Path, files: dict[str, tuple[int, ...]], format: str = "png") -> Path:
    """Images of the given shapes at root/NAME.FORMAT."""
    for name, shape in files.items():
        path = root / f"{name}.{format}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(*shape)).save(path)
    return root


def two_classes(root: Path, count: int = 3, shape: tuple[int, ...] = (11, 7, 3)) -> Path:
    return folder(root, {f"{name}/{i}": shape for name in ("cat", "dog") for i in range(count)})


def two_parts(root: Path) -> Path:
    """PNG images of 14 pixels in width. train: cat 3, dog 2; val: one each."""
    counts = (("train/cat", 3), ("train/dog", 2), ("val/cat", 1), ("val/dog", 1))
    return folder(root, {f"{name}/{i}": (9 + i, 14, 3) for name, count in counts for i in range(count)})


def saved(path: Path, **arrays: Any) -> str:
    np.savez(path / "data.npz", **arrays)
    return str(path / "data.npz")
