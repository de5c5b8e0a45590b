"""Widths of text in DejaVu Sans, in pixels, so that labels fit into their boxes.

The table holds the advance widths of the printable ASCII characters as FreeType measures them: a test compares them
with Pillow's. Verdana has the same widths, and the other fonts that browsers may use for the drawings are narrower.
"""

from __future__ import annotations

from functools import lru_cache

FAMILY = "DejaVu Sans, Verdana, Arial, sans-serif"
"""The CSS font family of every drawing."""

# fmt: off
_WIDTHS = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863,
    748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635,
    615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636,
    337, 636, 838,
)
# fmt: on
WIDTHS = {chr(32 + place): width for place, width in enumerate(_WIDTHS)} | {"×": 838, "–": 500, "·": 318}
"""Character -> advance width in thousandths of the font size; all others count as a full em."""
BOLD = 1.25
"""Bold text is at most this much wider: as the letter i in DejaVu Sans Bold."""


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text in pixels at this font size."""
    width = sum([WIDTHS.get(character, 1000) for character in text]) * size / 1000
    return width * BOLD if bold else width


def shortened(text: str, size: float, width: float, bold: bool = False) -> str:
    """The text, or its start and `…`, so that it is at most `width` pixels wide."""
    if text_width(text, size, bold) <= width:
        return text
    while text and text_width(f"{text}…", size, bold) > width:
        text = text[:-1]
    return f"{text}…"
