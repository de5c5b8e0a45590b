"""Labs as one HTML page: claim, verdict, figure, numbers and criterion of each. The figures are inside the file."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from archspec.format import duration
from archspec.runtime.labs.result import LabResult, cell
from archspec.runtime.system.atomic_write import write_text

MARKS = {"reproduced": "yes", "not seen at this scale": "open", "opposite": "no"}
"""Verdict -> its class in the style sheet."""
STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #16202b }
h1 { font-size: 1.9rem } h2 { font-size: 1.45rem; margin: 3rem 0 .3rem }
img { width: 100%; height: auto } table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: right; padding: .25rem .8rem; border-bottom: 1px solid #d9dde2 }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
.text { text-align: left } .line { white-space: nowrap }
.wide { overflow-x: auto } .small { color: #4a5663; font-size: .92rem }
.verdict { font-weight: 600; padding: .1rem .6rem; border-radius: .3rem; color: #fff; white-space: nowrap }
.yes { background: #00714f } .open { background: #5b6670 } .no { background: #b34700 }
"""
TITLE = "Labs: claims about convolutional networks, tested"
RULE = (
    "All arms of a lab share their seeds and test images. The verdict follows from the 95 % bootstrap interval of "
    "their difference: reproduced or opposite if the whole interval lies on that side, else not seen at this scale."
)


def write_book(path: Path, results: Sequence[LabResult], failed: Sequence[tuple[str, str]] = ()) -> None:
    """Write the page.

    Args:
        failed: name of each lab that did not run, and why.
    """
    alone = len(results) == 1 and not failed
    title = results[0].claim if alone else TITLE
    parts = [] if alone else [f"<h1>{escape(TITLE)}</h1>", f"<p>{escape(RULE)}</p>", _contents(results, failed)]
    parts += [_chapter(each, path.parent) for each in results]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>{escape(title)}</title><style>{STYLE}</style>"
    write_text(
        path, f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"
    )


def _contents(results: Sequence[LabResult], failed: Sequence[tuple[str, str]]) -> str:
    head = '<tr><th>lab</th><th class="text">claim</th><th class="text">verdict</th><th>time</th></tr>'
    rows = [
        f'<tr><td class="line"><a href="#{escape(each.lab)}">{escape(each.lab)}</a></td>'
        f'<td class="text">{escape(each.claim)}</td><td class="text">{_mark(each)}</td>'
        f'<td class="line">{escape(duration(each.seconds))}</td></tr>'
        for each in results
    ]
    rows += [
        f'<tr><td class="line">{escape(name)}</td><td class="text">{_code(why)}</td>'
        '<td class="text">not run</td><td></td></tr>'
        for name, why in failed
    ]
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _code(text: str) -> str:
    """A message, what stands in backticks as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _mark(result: LabResult) -> str:
    return f'<span class="verdict {MARKS[result.verdict]}">{escape(result.verdict)}</span>'


def _chapter(result: LabResult, page: Path) -> str:
    """The lab on a page in the folder `page`, with links to its files."""
    folder = "" if result.directory == page else f"{quote(result.directory.name)}/"
    names = [each for each in ("lab.yaml", "specs", "runs", "numbers.csv") if (result.directory / each).exists()]
    files = ", ".join(f'<a href="{folder}{each}">{each}</a>' for each in names)
    seeds = f"{result.seeds} seed{'s' * (result.seeds > 1)}"
    facts = f"Source: {result.source}. Scale: {result.scale}, {seeds}, {duration(result.seconds)}."
    head = "".join(f"<th>{escape(each)}</th>" for each in result.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell(each))}</td>" for each in row) + "</tr>" for row in result.rows)
    differences = "".join(
        f"<li>{escape(str(each))}{escape(f': {each.verdict}' * each.decides)}</li>" for each in result.differences
    )
    return "\n".join(
        [
            f'<section id="{escape(result.lab)}"><h2>{escape(result.claim)}</h2>',
            f'<p class="small">{escape(result.lab)}: {files}</p>',
            f"<p>{_mark(result)} {escape(result.reason)}</p>",
            *(_image(path, result.claim) for path in result.figures),
            f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>',
            f"<ul>{differences}</ul>" if differences else "",
            f'<p class="small">{escape(facts)} Criterion: {escape(result.criterion)}.</p></section>',
        ]
    )


def _image(path: Path, text: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{data}">'
