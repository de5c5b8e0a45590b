"""What images lose when a network reads them: colors where it takes grey images, transparency, frames, unused bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from archspec.diagnostics import counted
from archspec.runtime.data.files.encoded_image import Header, decodable, transparent
from archspec.runtime.data.files.image_facts import greatest_value, unused_bits
from archspec.runtime.system.tensorflow_import import import_tensorflow

TRANSPARENT = "which are read without the alpha channel: flatten the images onto a background to choose the colors"


def lost_colors(colored: int, count: int) -> str:
    """The line for images that are stored in color and enter a network for grey images."""
    fact = f"{colored:,} of {counted(count, 'image')} {'is' if colored == 1 else 'are'} stored in color"
    return f"{fact}: the network takes grey images, so it sees the brightness only"


def lost_alpha(clear: int, count: int) -> str:
    """The line for images with transparent pixels."""
    return f"{clear:,} of {counted(count, 'image')} {'has' if clear == 1 else 'have'} transparent pixels, {TRANSPARENT}"


def lost_frames(several: int, count: int) -> str:
    """The line for animations and documents of several pages."""
    has = "has" if several == 1 else "have"
    return f"{several:,} of {counted(count, 'image')} {has} more than one frame or page: only the first is used"


@dataclass
class Conversions:
    """Collects what is lost of each image, which may be read several times."""

    channels: int
    """Of the network's input."""
    _images: set[str] = field(default_factory=set)
    _colored: set[str] = field(default_factory=set)
    _clear: set[str] = field(default_factory=set)
    _several: set[str] = field(default_factory=set)
    _greatest: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, header: Header, contents: bytes) -> None:
        """Take note of an encoded image."""
        if name not in self._images:
            self._images.add(name)
            self._colored.update([name] * (self.channels == 1 and header.colored))
            self._clear.update([name] * (header.alpha and transparent(contents)))
            self._several.update([name] * header.several)
            if header.mode.startswith("16-bit"):
                self._greatest[name] = greatest_value(import_tensorflow(), header, decodable(contents))

    def add_array(self, names: Sequence[str], channels: int) -> None:
        """Take note of images in memory."""
        self._images.update(names)
        self._colored.update(names if self.channels == 1 and channels == 3 else ())

    def lines(self) -> list[str]:
        """What to tell the user; nothing where nothing was lost."""
        count = len(self._images)
        lines = [lost_colors(len(self._colored), count)] if self._colored else []
        lines += [lost_alpha(len(self._clear), count)] if self._clear else []
        lines += [lost_frames(len(self._several), count)] if self._several else []
        dark = unused_bits(self._greatest.values())
        return [*lines, dark] if dark else lines
