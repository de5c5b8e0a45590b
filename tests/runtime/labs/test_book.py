"""`archspec lab all`: one page for all labs, with those that could not run; and the list of labs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import archspec
from archspec.cli.main import cli
from archspec.runtime.labs.read_lab import lab_names


def test_the_page_has_every_lab_and_says_why_one_did_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archspec.runtime.labs.read_lab.lab_names", lambda: ["memory", "pooling"])
    told: list[str] = []
    book = archspec.lab_book(out=tmp_path / "book", scale="tiny", report=told.append)
    assert [each.lab for each in book.results] == ["memory"]
    assert book.failed == (("pooling", "the lab `pooling` needs photos"),)
    page = book.path.read_text()
    assert book.results[0].claim in page
    assert "the lab <code>pooling</code> needs photos" in page
    assert 'href="memory/numbers.csv"' in page
    assert page.count("data:image/png;base64,") == len(book.results[0].figures)
    assert len(told) == 2
    assert (tmp_path / "book" / "memory" / "result.json").is_file()


def test_the_list_has_claim_source_and_time() -> None:
    shown = CliRunner().invoke(cli, ["lab"], catch_exceptions=False).output
    for lab in archspec.list_labs():
        assert f"\n{lab.name}  (" in f"\n{shown}"
        assert " ".join(lab.claim.split()[:4]) in shown
    assert len(archspec.list_labs()) == len(lab_names())
    assert "mlp-vs-cnn  (" in shown


def test_a_lab_needs_a_folder() -> None:
    found = CliRunner().invoke(cli, ["lab", "mlp-vs-cnn"])
    assert found.exit_code == 2
    assert "Missing option '--out'" in found.output
