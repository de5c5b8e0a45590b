"""The report as one HTML file, which reads nothing else: styles, scripts, data and images are in it."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path
from string import Template

from archspec.drawings.palette import DARK, LIGHT, Theme, variables
from archspec.runtime.run_report import background, sections
from archspec.runtime.run_report.content import ReportContent
from archspec.runtime.run_report.markup import Markup, definitions, html_text, join, prose, tag
from archspec.version import __version__

MORE = {
    "light": "--right:#0072b2;--wrong:#b34a00;--warn:#a96f00;--bar:#cfe6f5;--right-rgb:0,114,178;--wrong-rgb:213,94,0;",
    "dark": "--right:#56b4e9;--wrong:#f0894e;--warn:#e69f00;--bar:#123a54;--right-rgb:86,180,233;"
    "--wrong-rgb:240,137,78;",
}
"""Colors of a report besides those of drawings: right and wrong predictions, notes, bars."""


def html(content: ReportContent, date: str) -> str:
    """The page."""
    every = [*sections.sections(content), *background.sections(content)]
    script = page_file("tables.js") + page_file("matrix.js")
    return Template(page_file("page.html")).substitute(
        title=html_text(content.title),
        subtitle=_subtitle(content),
        facts=definitions(content.facts.items(), class_="facts"),
        links=join(tag("a", title, href=f"#{anchor}") for anchor, title, _ in every),
        notes=_notes(content),
        sections=join(tag("section", tag("h2", title), body, id=anchor) for anchor, title, body in every),
        style=style(),
        script=script,
        digest=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        version=__version__,
        date=date,
    )


def style() -> str:
    """The style sheet: light, dark by request or by the button, and always light on paper."""
    light, dark = _theme(LIGHT, "light"), _theme(DARK, "dark")
    rules = f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
    rules += f":root[data-theme=light]{{{light}}}:root[data-theme=dark]{{{dark}}}"
    rules += f"@media print{{:root,:root[data-theme]{{{light}}}}}"
    rules += "".join(f".f-{name}{{fill:var(--{name});stroke:var(--{name}-line)}}" for name in LIGHT.families)
    return rules + page_file("page.css")


def _theme(theme: Theme, scheme: str) -> str:
    return variables(theme, scheme) + MORE[scheme]


def _subtitle(content: ReportContent) -> Markup:
    record = content.record
    started = str(record.get("started") or "").replace("T", " ")[:16]
    return join([f"Run {content.directory}, started {started}, on {record['devices']}, archspec ", _version(content)])


def _version(content: ReportContent) -> str:
    return str(content.record["versions"].get("archspec", ""))


def _notes(content: ReportContent) -> Markup:
    if not content.notes:
        return Markup("")
    return tag("div", *(tag("p", prose(each)) for each in content.notes), class_="notes", role="note")


@cache
def page_file(name: str) -> str:
    """A file of the page."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
