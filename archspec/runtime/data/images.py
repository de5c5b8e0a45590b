"""A labelled set of images, in memory or in files: Images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.runtime.data.files.header import header

DIGEST = 16
"""Bytes of a digest of contents."""
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
        spans: int64 (N, 2), where each image is in its file, offset and length in bytes; None where it is the file.
        sides: int32 (N, 2), upright height and width of each image in a file, pixels; read from it where None.
        in_part: bool (N,), whether it is an upright JPEG, of which a window can be decoded alone.
        digests: uint8 (N, 16), of the encoded bytes (`digest_of`); None where none were read.
        stamps: int64 (N, 3), of the files when they were read (`Stamp`).
        names: N words, what `pixels` were read from; None where that is a file of arrays.
    """

    class_names: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32] | None = None
    files: tuple[str, ...] | None = None
    spans: npt.NDArray[np.int64] | None = None
    sides: npt.NDArray[np.int32] | None = None
    in_part: npt.NDArray[np.bool_] | None = None
    digests: npt.NDArray[np.uint8] | None = None
    stamps: npt.NDArray[np.int64] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if (self.pixels is None) == (self.files is None):
            raise ValueError("Images has either pixels or files")

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, rows: npt.NDArray[np.integer[Any]]) -> Images:
        """Some of them, in that order."""
        arrays = {name: getattr(self, name) for name in ("pixels", "spans", "sides", "in_part", "digests", "stamps")}
        texts = {"files": self.files, "names": self.names}
        some: dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
        some |= {name: None if each is None else tuple(each[row] for row in rows) for name, each in texts.items()}
        return dataclasses.replace(self, labels=self.labels[rows], **some)

    def shapes(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """`sides` and `in_part` of all, from the files' headers where they are not known. Raises BadImageError."""
        if self.pixels is not None:
            sides = np.broadcast_to(np.array(self.pixels.shape[1:3], np.int32), (len(self), 2))
            return sides, np.zeros(len(self), np.bool_)
        if self.sides is not None and self.in_part is not None:
            return self.sides, self.in_part
        headers = [header(file) for file in self.files or ()]
        sides = np.array([each[:2] for each in headers], np.int32).reshape(-1, 2)
        return sides, np.array([each.in_part for each in headers], np.bool_)


def class_counts(images: Images) -> tuple[int, ...]:
    """How many images each class has, in the order of `class_names`."""
    return tuple(np.bincount(images.labels, minlength=len(images.class_names)).tolist())


def luminance(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB (..., 3) to grey (..., 1) with the weights of ITU-R BT.601 in thousandths, rounded; uint8."""
    weighted = pixels.astype(np.int32) @ np.array([[299], [587], [114]], np.int32)
    return ((weighted + 500) // 1000).astype(np.uint8)


def typical_side(images: Images) -> int:
    """The median of the shortest sides of images in memory or in files, pixels."""
    return int(np.median(images.shapes()[0].min(axis=1)))
