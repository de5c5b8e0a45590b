"""The data set that comes with archspec: the test images of Alpaydin and Kaynak's handwritten digits (UCI, 1998)."""

from __future__ import annotations

from importlib import resources

import numpy as np

from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.parts import Parts
from archspec.runtime.data.sources.source import DataSource

HELD_OUT = 450  # the last images, by writers who do not occur in the rest


class Digits(DataSource):
    """1,797 images of handwritten digits, 8 x 8 pixels, included in archspec; the last 450 are for validation."""

    name = "digits"
    only_lists = True
    forms = ("digits",)

    def takes(self, data: str) -> bool:
        return data == "digits"

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        """Grey images. The file counts 0 to 16 dark pixels in each cell, which become grey levels 0 to 255."""
        with (resources.files(__package__) / "digits.npz").open("rb") as file, np.load(file) as arrays:
            x, y = arrays["x"], arrays["y"].astype(np.int32)
        pixels = np.rint(x[..., None] * (255 / 16)).astype(np.uint8)
        images = Images(tuple("0123456789"), y, pixels)
        rows = np.arange(len(y))
        return Parts.of({"train": images.only(rows[:-HELD_OUT]), "validation": images.only(rows[-HELD_OUT:])})
