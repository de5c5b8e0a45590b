"""Transforms as a small network uses them, and images for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from archspec.transforms import TRANSFORMS

INPUT = (6, 5, 3)  # of a network that no image of the examples has


def made(name: str, args: dict[str, Any]) -> Any:
    return TRANSFORMS[name].make(args).for_input(INPUT)


def images_of(shape: tuple[int, ...], count: int = 4) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, *shape), dtype=np.uint8)
