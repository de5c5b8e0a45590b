"""From pixels and channels of feature maps to pixels of a drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from archspec.drawings.volumes.maps import Volume

WIDEST = 60.0
"""Length of the most channels of a map."""
TOTAL = 900.0
"""Most pixels that all channels together take."""
LONGEST = 170.0
"""Length of the longest vector."""
THINNEST = 1.5


@dataclass(frozen=True)
class DrawingScale:
    """Pixels of the drawing for a pixel of a map, for a channel of a map, and for a unit of a vector."""

    pixel: float
    channel: float
    unit: float
    log: bool

    def side(self, size: int) -> float:
        """The length of a height or a width."""
        return max(THINNEST, self._of(size) * self.pixel)

    def depth(self, channels: int) -> float:
        """The length of the channels of a map."""
        return max(THINNEST, self._of(channels) * self.channel)

    def rod(self, units: int) -> float:
        """The length of a vector."""
        return max(THINNEST, self._of(units) * self.unit)

    def _of(self, size: float) -> float:
        return math.log2(1 + size) if self.log else size


def scale_of(volumes: Sequence[Volume], log: bool, tallest: float) -> DrawingScale:
    """The scale in which the largest map is `tallest` pixels high, and the longest vector has the length above.

    With `log`, lengths are in proportion to log2(1 + size).
    """
    plain = DrawingScale(1, 1, 1, log)
    maps = [volume for volume in volumes if not volume.is_vector]
    vectors = [volume.size[2] for volume in volumes if volume.is_vector]
    side = max((plain._of(max(volume.size[:2])) for volume in maps), default=1.0)
    channels = [plain._of(volume.size[2]) for volume in maps] or [1.0]
    longest = max(map(plain._of, vectors), default=1.0)
    return DrawingScale(tallest / side, min(WIDEST / max(channels), TOTAL / sum(channels)), LONGEST / longest, log)
