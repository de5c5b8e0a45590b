"""The report as Markdown, and docs/report.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from archspec.cli.commands.report import command
from archspec.runtime.run_report.markdown import code, plain
from archspec.runtime.run_report.run_report import RunReport
from tests.cli.conftest import Run
from tests.cli.parsed import parsed
from tests.refusal import refused
from tests.runtime.run_report.conftest import NAMES

DOCUMENT = Path(__file__).parents[3] / "docs" / "report.md"


@pytest.fixture(scope="module")
def file(report: RunReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report.save(tmp_path_factory.mktemp("markdown") / "report.md")


def test_every_picture_is_in_the_folder_and_every_file_of_the_folder_is_shown(file: Path) -> None:
    shown = re.findall(r"!\[[^]]*\]\(report_files/([^)]+)\)", file.read_text())
    assert len(shown) == len(set(shown))
    assert set(shown) == {path.name for path in (file.parent / "report_files").iterdir()}
    assert {"curves.png", "confusion.png", "network.svg", "mistake-1.jpg", "sample-1.jpg"} <= set(shown)
    with Image.open(file.parent / "report_files" / "mistake-1.jpg") as picture:
        assert picture.height == 96
        assert picture.width == 3 * 96 + 2 * 4


def test_names_from_outside_are_text_in_tables_of_one_width(file: Path) -> None:
    text = file.read_text()
    outside_code = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<" not in outside_code.replace("\\<", "")
    assert "\u202e" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table
    for name in NAMES:
        assert plain(name) in text


@pytest.mark.parametrize(("text", "expected"), [("a", "`a`"), ("a`b", "`` a`b ``"), ("a|b", "`a\\|b`")])
def test_code_is_in_more_backticks_than_it_has(text: str, expected: str) -> None:
    assert code(text) == expected


def test_an_existing_folder_of_pictures_is_not_replaced(report: RunReport, file: Path, tmp_path: Path) -> None:
    (tmp_path / "report_files").mkdir()
    (tmp_path / "report_files" / "mine.txt").write_text("mine")
    assert refused(lambda: report.save(tmp_path / "report.md")).code == "output-exists"
    assert refused(lambda: report.save(tmp_path / "report.md", overwrite=True)).code == "output-exists"
    assert report.save(file, overwrite=True) == file


def test_the_document_names_options_and_sections_that_exist(report: RunReport, file: Path) -> None:
    text = DOCUMENT.read_text()
    commands = re.findall(r"^archspec (report .*?)(?:\s+#.*)?$", text, re.M)
    assert len(commands) == 5
    for line in commands:
        assert parsed(command, line)["out"] == Path("report.html")
    titles = re.findall(r"<h2>(.*?)</h2>", report.html())
    assert re.findall(r"^\| ([A-Z][a-z -]*) \|", text, re.M) == titles
    for picture in re.findall(r"\]\((report/[^)]+)\)", text):
        assert (DOCUMENT.parent / picture).stat().st_size < 150_000


def test_the_command_writes_markdown(run: Run, report: RunReport, tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    done = run("report", report.content.directory, "-o", out)
    assert done.status == 0
    assert f"wrote {out} (" in done.err
    assert out.read_text().startswith("# small on images\n")
