"""What commands print fits the terminal: at 60 columns no line is longer, and what is left out is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec.cli.main import COMMANDS as COMMAND_NAMES
from archspec.format import Table, fitted, wrapped
from tests.cli.conftest import Run
from tests.cli.test_outputs import inputs as inputs

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

COMMANDS = [
    ("summarize", "resnet:50"),
    ("summarize", "vgg:A", "--depth", "1"),
    ("summarize", "inception-v3"),
    ("plan", "vgg:A", "--device", "h100", "--devices", "8"),
    ("diff", "vgg:A", "vgg:E"),
    ("diff", "resnet:50", "resnet:152"),
    ("list",),
    ("list", "--published"),
    ("compare", "vgg", "resnet:18"),
    ("draw", "vgg", "--style", "table"),
    ("draw", "googlenet", "--style", "table"),
    ("schema", "-o", "OUT.json"),
    ("check", "vgg"),
    ("data", "check", "digits"),
    ("evaluate", "MODEL", "--data", "digits"),
    ("evaluate", "MODEL", "--data", "digits", "--protocol", "center,ten-crop"),
    ("build", "SPEC", "-o", "OUT.keras"),
    ("predict", "MODEL", "IMAGE", "--top", "2"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_sixty_columns_are_enough(
    run: Run, command: tuple[str, ...], inputs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    for word, path in inputs.items():
        (tmp_path / f"{word}{Path(path).suffix}").symlink_to(path)
    words = [f"{word}{Path(inputs[word]).suffix}" if word in inputs else word.replace("OUT", "out") for word in command]
    done = run(*words)
    assert done.status == 0, done.err
    assert [line for line in done.out.split("\n") if len(line) > 60] == []


@pytest.mark.parametrize("command", sorted(COMMAND_NAMES))
def test_the_help_of_every_command_fits(command: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    done = run(command, "--help")
    assert done.status == 0
    assert [line for line in done.out.split("\n") if len(line) > 60 and " " in line.strip()] == []


def test_a_table_of_a_paper_names_the_columns_that_it_leaves_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not shown" not in run("draw", "vgg", "--style", "table").out
    monkeypatch.setenv("COLUMNS", "60")
    assert "not shown in this width: C, D, E\n" in run("draw", "vgg", "--style", "table").out


def test_a_summary_names_what_it_leaves_out_and_explains_its_inputs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = run("summarize", "resnet:50").out
    assert "↑: the layer above" in wide
    assert "not shown" not in wide
    monkeypatch.setenv("COLUMNS", "100")
    narrow = run("summarize", "resnet:50", "--depth", "2").out
    shown = re.split(r" {2,}", narrow.split("\n")[2].strip())
    left_out = re.search(r"not shown in this width: ([^;]*);", " ".join(narrow.split()))
    assert left_out
    everything = re.split(r" {2,}", wide.split("\n")[2].strip())
    assert sorted([*shown, *left_out[1].split(", ")]) == sorted(everything)
    assert run("summarize", "resnet:50", "--format", "csv").out.split("\n")[0] == ",".join(everything)


def test_a_table_drops_columns_then_cuts_cells() -> None:
    table = Table(
        ("name", "a", "b"), [("x" * 30, "1", "22"), ("p/" * 15 + "q", "3", "4")], right=("a",), optional=("b",)
    )
    assert table.lines()[1].endswith("1  22")
    with fitted(34):
        assert table.lines() == ["name" + " " * 29 + "a", "x" * 30 + " " * 3 + "1", "p/" * 15 + "q  3"]
        assert table.left_out() == ["b"]
    with fitted(12):
        assert table.lines() == ["name       a", "xxxxxxxx…  1", "…/p/p/p/q  3"]
    assert table.left_out() == []


def test_long_lines_are_broken_at_spaces_and_indented() -> None:
    with fitted(20):
        assert wrapped("  one two three four five") == "  one two three four\n    five"
        assert wrapped("a" * 30) == "a" * 30
    assert wrapped("one two three four five six") == "one two three four five six"
