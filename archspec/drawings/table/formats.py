"""A table as Markdown, LaTeX, HTML and plain text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from archspec.diagnostics import listed
from archspec.drawings.table.model import Cell, Line, PaperTable, Part
from archspec.format import fitted_width, wrapped

GAP = 2
"""Spaces between the columns of the text."""


def as_text(table: PaperTable) -> str:
    """Aligned columns, one line for each line of a cell; within `fitted`, without the last columns that do not fit."""
    placed = [(y, x, cell, _text_lines(cell)) for y, x, cell in table.placed()]
    widths = [0] * table.width
    for _, x, cell, texts in sorted(placed, key=lambda each: each[2].columns):
        have = sum(widths[x : x + cell.columns]) + GAP * (cell.columns - 1)
        widths[x + cell.columns - 1] += max(0, max(map(len, texts), default=0) - have)
    shown, limit = table.width, fitted_width()
    while limit is not None and shown > 1 and sum(widths[:shown]) + GAP * (shown - 1) > limit:
        shown -= 1
    headings = {x: texts[0] for _, x, cell, texts in reversed(placed) if cell.columns == 1 and texts}
    left_out = [headings.get(x, f"column {x + 1}") for x in range(shown, table.width)]
    placed = [each for each in placed if each[1] < shown]
    tall = [max((len(texts) for row, _, _, texts in placed if row == y), default=0) for y in range(len(table.rows))]
    lines: list[str] = []
    for y in range(len(table.rows)):
        starts = [(x, cell, texts) for row, x, cell, texts in placed if row == y]
        for i in range(tall[y]):
            line = ""
            for x, _, texts in starts:
                line = line.ljust(sum(widths[:x]) + GAP * x) + (texts[i] if i < len(texts) else "")
            lines.append(line.rstrip() if limit is None else line[:limit].rstrip())
        if y + 1 == len(table.rows) or max(tall[y : y + 2]) > 1:
            lines.append("")
    narrow = [f"not shown in this width: {listed(left_out)}"] if left_out else []
    return "\n".join([*lines, *map(wrapped, [*narrow, *table.notes])])


def _text_lines(cell: Cell) -> list[str]:
    """Bold as *text*; a bracket as in a matrix."""
    found = []
    for part in cell.parts:
        texts = [f"*{line.text}*" if line.bold else line.text for line in part.lines]
        if part.times is None:
            found += texts
            continue
        wide = max(map(len, texts))
        for i, text in enumerate(texts):
            one = len(texts) == 1
            left, right = "[]" if one else "⎡⎤" if i == 0 else "⎣⎦" if i == len(texts) - 1 else "⎢⎥"
            times = f" ×{part.times}" if i == (len(texts) - 1) // 2 else ""
            found.append(f"{left}{text.ljust(wide)}{right}{times}")
    return found


def as_markdown(table: PaperTable) -> str:
    """A Markdown table, which has no cells over several columns: their text is repeated in each column."""
    rows = [["" for _ in range(table.width)] for _ in table.rows]
    for y, x, cell in table.placed():
        for i in range(cell.columns):
            rows[y][x + i] = "<br>".join(map(_markdown_part, cell.parts)).replace("|", "\\|")
    whole = table.rows[0][0]
    if whole.columns == table.width:  # the title, which is above the table
        del rows[0]
    head, *body = rows
    lines = [f"**{table.title}**", "", _row(head), _row(["---"] * table.width), *map(_row, body)]
    return "\n".join([*lines, "", *table.notes])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_part(part: Part) -> str:
    text = "<br>".join(f"**{_plain(line.text)}**" if line.bold else _plain(line.text) for line in part.lines)
    return text if part.times is None else f"\\[{text}\\] × {part.times}"


def _plain(text: str) -> str:
    """Text without the characters that Markdown reads as a format."""
    for character in "\\`*_[]<>":
        text = text.replace(character, f"\\{character}")
    return text


def as_html(table: PaperTable) -> str:
    """One HTML page with the table, in light and dark."""
    lines = ["<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">']
    lines += ['<meta name="viewport" content="width=device-width">']
    lines += ["<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"]
    lines += [f"<title>{escape(table.title)}</title>", f"<style>{STYLE}</style>", "</head>", "<body>"]
    lines += ["<table>", f"<caption>{escape(table.title)}</caption>"]
    for number, row in enumerate(table.rows):
        if number == 0 and row[0].columns == table.width:
            continue
        lines.append(f"<tr>{''.join(map(_html_cell, row))}</tr>")
    lines += ["</table>", *(f"<p>{escape(note)}</p>" for note in table.notes), "</body>", "</html>"]
    return "\n".join(lines)


STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif }
body { margin: 1.5rem; overflow-x: auto }
table { border-collapse: collapse }
caption { font-weight: 600; padding: .4rem; text-align: left }
th, td { border: 1px solid #8888; padding: .3rem .7rem; text-align: center; white-space: nowrap }
td.top { vertical-align: top }
.matrix { display: inline-block; padding: 0 .5em; border: solid; border-width: 0 1.5px; vertical-align: middle;
  background: linear-gradient(currentColor, currentColor) 0 0, linear-gradient(currentColor, currentColor) 100% 0,
  linear-gradient(currentColor, currentColor) 0 100%, linear-gradient(currentColor, currentColor) 100% 100%;
  background-size: .35em 1.5px; background-repeat: no-repeat }
p { color: #888; margin: .4rem 0 }
"""


def _html_cell(cell: Cell) -> str:
    tag = "th" if cell.heading else "td"
    spans = f' colspan="{cell.columns}"' if cell.columns > 1 else ""
    spans += f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
    look = ' class="top"' if cell.top else ""
    return f"<{tag}{spans}{look}>{'<br>'.join(map(_html_part, cell.parts))}</{tag}>"


def _html_part(part: Part) -> str:
    text = "<br>".join(f"<b>{escape(line.text)}</b>" if line.bold else escape(line.text) for line in part.lines)
    return text if part.times is None else f'<span class="matrix">{text}</span>&nbsp;×&nbsp;{part.times}'


def as_latex(table: PaperTable) -> str:
    """A `tabular` for LaTeX, with the packages it needs in a comment."""
    columns = "|".join(["c"] * table.width)
    lines = ["% \\usepackage{multirow, makecell}", f"\\begin{{tabular}}{{|{columns}|}}", "\\hline"]
    starts = {(y, x): cell for y, x, cell in table.placed()}
    below: dict[tuple[int, int], Cell] = {}
    for (y, x), start in starts.items():
        for i in range(1, start.rows):
            below[y + i, x] = start
    for y in range(len(table.rows)):
        texts: list[str] = []
        ending: list[int] = []  # columns of cells that end in this row, counted from 1
        x = 0
        while x < table.width:
            cell: Cell | None = starts.get((y, x))
            over = cell or below[y, x]
            texts.append(_latex_cell(cell or Cell((), over.columns), x == 0))
            begins = next(row for row in range(y, -1, -1) if starts.get((row, x)) is over)
            if begins + over.rows == y + 1:
                ending += range(x + 1, x + over.columns + 1)
            x += over.columns
        lines.append(f"{' & '.join(texts)} \\\\ {_rule(ending, table.width)}")
    lines.append("\\end{tabular}")
    return "\n".join([*lines, *(f"% {note}" for note in table.notes)])


def _rule(columns: Sequence[int], width: int) -> str:
    """Lines below the columns that end in this row."""
    if len(columns) == width:
        return "\\hline"
    spans: list[list[int]] = []
    for column in columns:
        if spans and spans[-1][1] == column - 1:
            spans[-1][1] = column
        else:
            spans.append([column, column])
    return " ".join(f"\\cline{{{first}-{last}}}" for first, last in spans)


def _latex_cell(cell: Cell, first: bool) -> str:
    parts = [_latex_part(part) for part in cell.parts]
    text = parts[0] if len(parts) == 1 else f"\\makecell{{{BREAK.join(parts)}}}" if parts else ""
    if cell.rows > 1:
        text = f"\\multirow{{{cell.rows}}}{{*}}{{{text}}}"
    border = "|c|" if first else "c|"
    return f"\\multicolumn{{{cell.columns}}}{{{border}}}{{{text}}}" if cell.columns > 1 else text


def _latex_part(part: Part) -> str:
    if part.times is not None:
        rows = BREAK.join(f"\\mbox{{{_latex(line.text)}}}" for line in part.lines)
        return f"$\\left[\\begin{{array}}{{c}} {rows} \\end{{array}}\\right] \\times {part.times}$"
    texts = [_latex_line(line) for line in part.lines]
    return texts[0] if len(texts) == 1 else f"\\makecell[t]{{{BREAK.join(texts)}}}"


def _latex_line(line: Line) -> str:
    return f"\\textbf{{{_latex(line.text)}}}" if line.bold else _latex(line.text)


BREAK = " \\\\ "
LATEX = {"×": "$\\times$", "→": "$\\rightarrow$", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
LATEX |= {"⟨": "$\\langle$", "⟩": "$\\rangle$", "\\": "\\textbackslash{}"}
LATEX |= {character: f"\\{character}" for character in "&%$#_{}"}
LATEX |= {raised: f"$^{plain}$" for raised, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)}


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)


FORMATS: dict[str, Callable[[PaperTable], str]] = {
    "markdown": as_markdown,
    "text": as_text,
    "latex": as_latex,
    "html": as_html,
}
"""Format -> its writer."""
SUFFIXES = {".md": "markdown", ".txt": "text", ".tex": "latex", ".html": "html"}
"""Suffix of a file -> the format of the table in it."""
