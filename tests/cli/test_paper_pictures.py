"""`draw --style table|volumes|columns|receptive-field|cost`, `compare` and `list --published` on the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_table_is_printed_in_the_format_that_is_asked_for(run: Run) -> None:
    starts = {
        "text": "ConvNet Configuration",
        "markdown": "**vgg**",
        "latex": "% \\usepackage",
        "html": "<!DOCTYPE html>",
    }
    for format, start in starts.items():
        status, out, err = run("draw", "vgg", "--style", "table", "--format", format)
        assert (status, err) == (0, "")
        assert out.startswith(start)
    assert run("draw", "vgg", "--style", "table").out.startswith(starts["text"])


def test_every_style_writes_its_file(run: Run, tmp_path: Path) -> None:
    for style, references in {
        "table": ["resnet"],
        "volumes": ["lenet:5", "--log"],
        "columns": ["vgg:E", "resnet:34"],
        "receptive-field": ["alexnet", "--layer", "conv3"],
        "cost": ["resnet:50", "--depth", "1"],
    }.items():
        file = tmp_path / f"{style}.svg"
        assert run("draw", *references, "--style", style, "-o", file) == (0, f"wrote {file}\n", "")
        assert file.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["draw", "vgg:D", "--style", "cost"], "Give the file to write"),
        (["draw", "vgg", "--style", "table", "--format", "html", "-o", "x.html"], "--format is for printing"),
        (["compare"], "Name networks"),
        (["compare", "vgg", "--batch-size", "4"], "--batch-size needs --measure"),
    ],
)
def test_wrong_usage_is_explained(run: Run, arguments: list[str], message: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["draw", "vgg:D", "resnet:50", "--style", "cost", "-o", "x.svg"], "the style `cost` draws one network"),
        (["draw", "vgg:D", "--style", "cost", "-o", "x.md"], "does not end in `.svg`"),
        (["draw", "vgg:D", "--style", "table", "--layer", "fc", "-o", "x.svg"], "no option `layer`"),
        (["compare", "vgg:Z"], "`vgg` has no variant `Z`"),
    ],
)
def test_what_does_not_fit_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_compare_prints_tables_and_writes_a_folder(run: Run, tmp_path: Path) -> None:
    status, out, err = run("compare", "resnet:50", "vgg:D", "--format", "csv")
    assert (status, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["network"] for row in rows} == {"resnet-50", "vgg-D"}
    status, _, err = run("compare", "resnet:50", "-o", tmp_path / "out")
    assert status == 0
    assert err.splitlines() == [f"wrote {file}" for file in sorted((tmp_path / "out").iterdir())]
    assert run("compare", "resnet:50", "-o", tmp_path / "out").status == 1
    assert run("compare", "vgg:D", "-o", tmp_path / "out", "--overwrite").status == 0


def test_published_figures_are_listed_with_their_sources(run: Run) -> None:
    """He et al., README: ResNet-50 has 24.7 % top-1 error with one crop."""
    out = run("list", "resnet", "--published").out
    assert "not measured here" in out
    assert "KaimingHe/deep-residual-networks" in out
    assert "resnet:50                        24.70    7.80" in out
    facts = json.loads(run("list", "resnet", "--published", "--format", "json").out)
    assert {"reference", "top1_error", "top5_error", "protocol", "data", "source"} <= facts[0].keys()
    assert run("list", "mlp", "--published").out == "none of these networks has published error rates in its spec\n"
