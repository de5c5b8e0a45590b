"""Every network has a table, and all formats of a table hold its cells."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import archspec
from archspec.diagnostics import ArchspecError
from archspec.drawings.font import text_width
from archspec.drawings.table.formats import FORMATS
from archspec.drawings.table.model import Cell
from tests.drawings.table.test_papers import table

FAMILIES = ["vgg", "resnet", "densenet", "googlenet", "mobilenet", "alexnet", "lenet"]


class Rows(HTMLParser):
    """The cells of each row: (text, columns, rows)."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, int, int]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append(("", int(given.get("colspan") or 1), int(given.get("rowspan") or 1)))
        elif tag == "br" and self.rows and self.rows[-1]:
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            text, columns, rows = self.rows[-1][-1]
            self.rows[-1][-1] = (text + data, columns, rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_html_has_every_cell_with_its_spans(family: str) -> None:
    found = table(family)
    parser = Rows()
    parser.feed(FORMATS["html"](found).partition("</table>")[0])
    expected = [
        [(without_factor(" ".join(_lines(cell))), cell.columns, cell.rows) for cell in row]
        for row in found.rows
        if row[0].columns < found.width or not row[0].heading
    ]
    assert [[(without_factor(text), *spans) for text, *spans in row] for row in parser.rows] == expected


def _lines(cell: Cell) -> list[str]:
    return [line.text for part in cell.parts for line in part.lines]


def without_factor(text: str) -> str:
    """The text without the number of copies after a bracket."""
    return re.sub(r"\s×\s\d+", "", text).strip()


@pytest.mark.parametrize("family", FAMILIES)
def test_latex_rows_have_every_column(family: str) -> None:
    found = table(family)
    text = FORMATS["latex"](found)
    body = [line for line in text.split("\n") if re.search(r"\\\\ \\[hc]line|\\\\ $", line)]
    assert len(body) == len(found.rows)
    for line in body:
        cells = re.split(r"(?<!\\) & ", line)
        spans = [int(count) for count in re.findall(r"(?:^|& )\\multicolumn\{(\d+)\}", line)]
        assert len(cells) - len(spans) + sum(spans) == found.width
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")
    assert text.count("\\left[") == text.count("\\right]")


@pytest.mark.parametrize("family", FAMILIES)
def test_markdown_has_a_cell_for_every_column(family: str) -> None:
    found = table(family)
    rows = [line for line in FORMATS["markdown"](found).split("\n") if line.startswith("|")]
    assert {len(re.split(r"(?<!\\)\|", row)) - 2 for row in rows} == {found.width}
    title = found.rows[0][0].columns == found.width
    assert len(rows) == len(found.rows) + 1 - title


def test_text_of_the_drawing_is_inside_its_cells() -> None:
    svg = "{http://www.w3.org/2000/svg}"
    for family in FAMILIES:
        root = ElementTree.fromstring(archspec.draw(family, style="table").svg())
        cells = [
            tuple(float(each.get(name, 0)) for name in ("x", "y", "width", "height"))
            for each in root.iter(f"{svg}rect")
            if each.get("class") == "cell"
        ]
        inside = 0
        for each in root.iter(f"{svg}text"):
            if each.get("text-anchor") != "middle":
                continue
            x, y, size = (float(each.get(name, 0)) for name in ("x", "y", "font-size"))
            half = text_width(each.text or "", size, each.get("font-weight") == "bold") / 2
            holders = [c for c in cells if c[0] <= x - half and x + half <= c[0] + c[2] and c[1] < y < c[1] + c[3]]
            assert len(holders) == 1, (family, each.text)
            inside += 1
        assert inside >= len(cells) / 2
        area = sum(width * height for _, _, width, height in cells)
        right = max(x + width for x, _, width, _ in cells)
        low = max(y + height for _, y, _, height in cells)
        left, high = min(c[0] for c in cells), min(c[1] for c in cells)
        assert area == pytest.approx((right - left) * (low - high), rel=1e-3)  # cells neither overlap nor leave holes


@pytest.mark.slow  # papers' tables are in `test_papers`
def test_every_family_has_a_table() -> None:
    for family in archspec.families():
        if family == "nasnet":  # large cells
            continue
        if family == "siamese":
            with pytest.raises(ArchspecError, match="the style `table` needs a network with one input"):
                archspec.draw(family, style="table")
            continue
        found = table(family)
        assert found.width > 1 or family in ("zfnet", "small-alexnet", "mlp"), family
        assert all(len(row) == found.width for row in found.grid())
        assert archspec.draw(family, style="table").svg().startswith("<svg")


def test_files_hold_the_formats(tmp_path: Path) -> None:
    drawing = archspec.draw("vgg:A", "vgg:B", style="table")
    starts = {".md": "**vgg**", ".tex": "% \\usepackage", ".html": "<!DOCTYPE html>", ".txt": "ConvNet", ".svg": "<svg"}
    for suffix, start in starts.items():
        assert drawing.save(tmp_path / f"vgg{suffix}").read_text("utf-8").startswith(start)
