"""SVG as text: elements with escaped attributes and short numbers. The same drawing always has the same bytes."""

from __future__ import annotations

import re

from archspec.drawings.font import FAMILY
from archspec.drawings.palette import style_sheet

_SPECIAL = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")  # what XML 1.0 has no way to write


def escaped(text: str) -> str:
    """Text for an attribute or the content of an element."""
    if not text.isascii() or not text.isprintable():
        text = _CONTROL.sub("\ufffd", text)
    for character, entity in _SPECIAL.items():
        if character in text:
            text = text.replace(character, entity)
    return text


def number(value: float) -> str:
    """A coordinate with at most one digit behind the point: 12, 12.5."""
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def element(tag: str, content: str | None = None, /, **attributes: str | float | None) -> str:
    """An element; `content` is markup. `class_` sets `class`, `stroke_width` sets `stroke-width`; None is left out."""
    parts = [tag]
    for name, value in attributes.items():
        if value is not None:
            shown = escaped(value) if isinstance(value, str) else number(value)
            parts.append(f'{name.rstrip("_").replace("_", "-")}="{shown}"')
    head = " ".join(parts)
    return f"<{head}/>" if content is None else f"<{head}>{content}</{tag}>"


def rect(x: float, y: float, width: float, height: float, /, **attributes: str | float | None) -> str:
    """A rectangle."""
    return element("rect", x=x, y=y, width=width, height=height, **attributes)


def text(x: float, y: float, content: str, size: float, /, **attributes: str | float | None) -> str:
    """A line of text whose baseline starts at (x, y); `text_anchor="middle"` centres it there."""
    return element("text", escaped(content), x=x, y=y, font_size=size, **attributes)


def line(points: list[tuple[float, float]], radius: float = 5, /, **attributes: str | float | None) -> str:
    """A path through the points, with rounded corners."""
    return element("path", d=path_data(points, radius), **attributes)


def path_data(points: list[tuple[float, float]], radius: float = 5) -> str:
    """The `d` of a path through the points; a corner of horizontal and vertical segments is rounded."""
    (x, y), *others = points
    parts = [f"M{number(x)} {number(y)}"]
    for place, (to_x, to_y) in enumerate(others):
        if place + 1 < len(others) and radius:
            next_x, next_y = others[place + 1]
            before = min(radius, (abs(to_x - x) + abs(to_y - y)) / 2)
            after = min(radius, (abs(next_x - to_x) + abs(next_y - to_y)) / 2)
            cut = min(before, after)
            start = _towards(to_x, to_y, x, y, cut)
            end = _towards(to_x, to_y, next_x, next_y, cut)
            parts.append(f"L{number(start[0])} {number(start[1])}")
            parts.append(f"Q{number(to_x)} {number(to_y)} {number(end[0])} {number(end[1])}")
        else:
            parts.append(f"L{number(to_x)} {number(to_y)}")
        x, y = to_x, to_y
    return "".join(parts)


def _towards(x: float, y: float, to_x: float, to_y: float, distance: float) -> tuple[float, float]:
    length = abs(to_x - x) + abs(to_y - y)
    share = distance / length if length else 0
    return x + (to_x - x) * share, y + (to_y - y) * share


def document(content: str, width: float, height: float, title: str, *, style: str = "") -> str:
    """A standalone SVG file with a background, in the colors of the palette. `style` is more CSS."""
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
            f'width="{number(width)}" height="{number(height)}" font-family="{FAMILY}" role="img">',
            element("title", escaped(title)),
            element("style", style_sheet() + style),
            rect(0, 0, width, height, class_="bg"),
            content,
            "</svg>\n",
        ]
    )
