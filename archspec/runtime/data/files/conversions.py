"""What images lose when a network reads them: their colors where it takes grey images, and transparency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archspec.diagnostics import counted
from archspec.runtime.data.files.encoded_image import Header, transparent

TRANSPARENT = "which are read without the alpha channel: flatten the images onto a background to choose the colors"


def lost_colors(colored: int, count: int) -> str:
    """The line for images that are stored in color and enter a network for grey images."""
    fact = f"{colored:,} of {counted(count, 'image')} {'is' if colored == 1 else 'are'} stored in color"
    return f"{fact}: the network takes grey images, so it sees the brightness only"


def lost_alpha(clear: int, count: int) -> str:
    """The line for images with transparent pixels."""
    return f"{clear:,} of {counted(count, 'image')} {'has' if clear == 1 else 'have'} transparent pixels, {TRANSPARENT}"


@dataclass
class Conversions:
    """Collects what is lost of each image, which may be read several times."""

    channels: int
    """Of the network's input."""
    _images: set[str] = field(default_factory=set)
    _colored: set[str] = field(default_factory=set)
    _clear: set[str] = field(default_factory=set)

    def add(self, name: str, header: Header, contents: bytes) -> None:
        """Take note of an encoded image."""
        if name not in self._images:
            self._images.add(name)
            self._colored.update([name] * (self.channels == 1 and header.colored))
            self._clear.update([name] * (header.alpha and transparent(contents)))

    def add_array(self, names: Sequence[str], channels: int) -> None:
        """Take note of images in memory."""
        self._images.update(names)
        self._colored.update(names if self.channels == 1 and channels == 3 else ())

    def lines(self) -> list[str]:
        """What to tell the user; nothing where nothing was lost."""
        count = len(self._images)
        lines = [lost_colors(len(self._colored), count)] if self._colored else []
        return [*lines, lost_alpha(len(self._clear), count)] if self._clear else lines
