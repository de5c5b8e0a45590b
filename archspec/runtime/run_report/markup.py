"""HTML that escapes by default: text is escaped, and only Markup is taken as it is."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from archspec.diagnostics import terminal_text
from archspec.drawings.svg import escaped
from archspec.runtime.run_report.content import Photo

EMPTY = ("img", "input", "br")
"""Elements without content."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def html_text(text: str) -> Markup:
    """Escaped text; characters that would control the direction or the device are shown as escapes."""
    return text if isinstance(text, Markup) else Markup(escaped(terminal_text(text)))


def join(parts: Iterable[str], between: str = "") -> Markup:
    """The parts one after another."""
    return Markup(between.join(map(html_text, parts)))


def tag(name: str, *content: str, **attributes: str | int | None) -> Markup:
    """An element. `class_` sets `class`, `data_type` sets `data-type`; an attribute of None is left out."""
    head = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html_text(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{head}>") if name in EMPTY else Markup(f"<{head}>{join(content)}</{name}>")


def prose(text: str) -> Markup:
    """A sentence, whose words in backticks are code."""
    parts = text.split("`")
    return join(tag("code", part) if place % 2 else part for place, part in enumerate(parts))


def picture(photo: Photo, description: str, size: int | None = None) -> Markup:
    """An image in the page itself; `size` is the width at which small ones are shown, in CSS pixels."""
    width = max(photo.width, size or 0)
    data = f"data:image/jpeg;base64,{b64encode(photo.data).decode()}"
    sharp = "pixel" if width >= 2 * photo.width else None
    height = round(photo.height * width / photo.width)
    return tag("img", src=data, width=width, height=height, alt=description, class_=sharp)


def table(
    headings: Iterable[str], rows: Iterable[Iterable[str]], numbers: Iterable[str] = (), class_: str | None = None
) -> Markup:
    """A table; the columns `numbers` are aligned to the right, and sorted by their values."""
    headings, numbers = list(headings), set(numbers)
    head = [tag("th", each, scope="col", class_="number" if each in numbers else None) for each in headings]
    classes = ["number" if each in numbers else None for each in headings]
    body = (
        tag("tr", *(tag("td", cell, class_=class_name) for cell, class_name in zip(row, classes, strict=True)))
        for row in rows
    )
    whole = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), class_=class_)
    return tag("div", whole, class_="wide")


def definitions(pairs: Iterable[tuple[str, str]], class_: str | None = None) -> Markup:
    """A list of names and values."""
    parts = (tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs)
    return tag("dl", *parts, class_=class_)
