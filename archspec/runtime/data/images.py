"""A labelled set of images, in memory or in files: Images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Report = Callable[[str], None]
"""Receives lines for the user: progress ("2,000 of 4,000 images read") and what was found on the way."""


@dataclass(frozen=True)
class Images:
    """Labelled images in a fixed order; exactly one of `pixels` and `files` is given.

    Attributes:
        class_names: in the order of their numbers.
        labels: int32 (N,), numbers of classes.
        pixels: uint8 (N, H, W, C), grey levels 0 to 255. Series (N, length, C) and volumes (N, depth, H, W, C)
            are float32, in their own units.
        files: N paths of image files, each of which was read once without an error.
    """

    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | None = None
    files: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if (self.pixels is None) == (self.files is None):
            raise ValueError("Images has either pixels or files")

    def __len__(self) -> int:
        return len(self.labels)


def class_counts(images: Images) -> tuple[int, ...]:
    """How many images each class has, in the order of `class_names`."""
    return tuple(np.bincount(images.labels, minlength=len(images.class_names)).tolist())


def luminance(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB (..., 3) to grey (..., 1) with the weights of ITU-R BT.601 in thousandths, rounded; uint8."""
    weighted = pixels.astype(np.int32) @ np.array([[299], [587], [114]], np.int32)
    return ((weighted + 500) // 1000).astype(np.uint8)
