"""Images of stripes, as a data source."""

import numpy as np

from archspec.diagnostics import fail
from archspec.runtime.data.images import Images, Report
from archspec.runtime.data.sources.source import DataSource, Parts


class Stripes(DataSource):
    """Generated images of 8 x 8 pixels with horizontal or vertical stripes."""

    name = "stripes"
    forms = ("stripes:COUNT",)
    prefix = "stripes:"

    def open(self, data: str, *, channels: int, report: Report) -> Parts:
        count = data.removeprefix(self.prefix)
        if not count.isdecimal():
            raise fail("data-format", f"`{count}` is not a number of images", help="for example, `stripes:20`")
        labels = np.arange(int(count), dtype=np.int32) % 2
        stripes = np.tile(np.uint8([0, 255]), 4)
        horizontal = np.broadcast_to(stripes[:, None, None], (8, 8, 1))
        images = np.stack([horizontal, horizontal.swapaxes(0, 1)])
        return Parts.of({"": Images(("horizontal", "vertical"), labels, images[labels])})
