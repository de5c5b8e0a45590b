"""The report of a run: it shows itself in a notebook, and saves itself as HTML or Markdown."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from archspec.arguments import StrPath, public
from archspec.runtime.evaluation.result import Evaluation
from archspec.runtime.run_report.content import ReportContent
from archspec.runtime.system.atomic_write import check_output_file, check_output_folder, make_folder
from archspec.runtime.system.output_set import output_set

SUFFIXES = (".html", ".md")
MARK = "network.svg"
"""A file that every folder of pictures has."""


@dataclass(frozen=True)
class RunReport:
    """The report of a run. A notebook shows it."""

    content: ReportContent = field(repr=False)
    """What it shows."""
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M"))
    """When it was made."""

    def __repr__(self) -> str:
        return f"<RunReport: {self.content.title}>"

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The evaluations in it, one for each protocol; empty where the run's data is not there."""
        return self.content.evaluations

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing from it, and why."""
        return self.content.notes

    def html(self) -> str:
        """The report as an HTML page that reads no other file."""
        from archspec.runtime.run_report.html import html

        return html(self.content, self.date)

    def _repr_html_(self) -> str:
        page = escape(self.html(), quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 720px; border: 1px solid #8886"></iframe>'

    @public()
    def save(self, path: StrPath, *, overwrite: bool = False) -> Path:
        """Write the report: one `.html` file; or a `.md` file, and its pictures in the folder `NAME_files` beside it.

        Args:
            overwrite: replace an earlier report.

        Raises:
            ArchspecError: `bad-output`, `output-exists`, `cannot-write`.
        """
        path = Path(path)
        check_report_file(path, overwrite=overwrite)
        if path.suffix == ".html":
            with output_set([path]) as (temporary,):
                temporary.write_text(self.html(), encoding="utf-8")
            return path
        from archspec.runtime.run_report.markdown import MarkdownReport

        folder = pictures_folder(path)
        report = MarkdownReport(self.content, folder.name, self.date)
        with output_set([path, folder]) as (text, pictures):
            text.write_text(report.text, encoding="utf-8")
            make_folder(pictures)
            report.write_pictures(pictures)
        return path


def pictures_folder(path: Path) -> Path:
    """The folder of the pictures of `report.md`: `report_files`."""
    return path.with_name(f"{path.stem}_files")


def check_report_file(path: Path, *, overwrite: bool = False) -> None:
    """Check before the work that a report can be written. Raises `bad-output`, `output-exists`, `cannot-write`."""
    check_output_file(path, *SUFFIXES, overwrite=overwrite)
    if path.suffix == ".md":
        check_output_folder(pictures_folder(path), overwrite=overwrite, mark=MARK)
