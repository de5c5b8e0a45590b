"""Messages name options as the caller writes them: `--init-map MAP`, or `init_map="MAP"` in Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import archspec
from archspec import cli
from archspec.diagnostics import Diagnostic
from archspec.wording import FLAGS, command_line, worded

CASES = {
    "`--init-map TARGET=SOURCE`": '`init_map="TARGET=SOURCE"`',
    "`--init-map 'conv*/**'`": '`init_map="conv*/**"`',
    "`--validation-split 0.1`": "`validation_split=0.1`",
    "`--validation-split`": "`validation_split`",
    "`--set classes=10`": "`classes=10`",
    "`--set input=[null, null, 3]`": "`input=[None, None, 3]`",
    "`--set train.dtype_policy=mixed_bfloat16`": '`**{"train.dtype_policy": "mixed_bfloat16"}`',
    "`--set train.epochs=...`": '`**{"train.epochs": ...}`',
    "`--set 'train.augment=[{resize: 37}, flip]'`": '`**{"train.augment": [{"resize": 37}, "flip"]}`',
    "`--validation-split 0.5 --seed 3`": "`validation_split=0.5, seed=3`",
    "`--protocol 'dense: 256'`": '`protocol="dense: 256"`',
    "`-o my-run`": '`out="my-run"`',
    "another `-o`, or `--overwrite`": "another `out`, or `overwrite=True`",
    "`archspec train --resume runs/my-run`": '`archspec.resume("runs/my-run")`',
    "`a--b` and `archspec list`": "`a--b` and `archspec list`",
}


@pytest.mark.parametrize(("text", "python"), CASES.items())
def test_an_option_is_an_argument_in_python(text: str, python: str) -> None:
    assert worded(text) == python
    assert Diagnostic("a", text, help=text, notes=(text,)).help == python
    with command_line():
        assert Diagnostic("a", text, notes=(text,)).notes == (text,)
    assert worded(text) == python


def test_every_option_in_the_code_has_a_form_in_python() -> None:
    """Texts with a place for a value, f-strings, are tried with a word there."""
    package, found = Path(archspec.__file__).parent, 0
    for file in package.rglob("*.py"):
        if (package / "cli") in file.parents:
            continue
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        within = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
            node for node in nodes if isinstance(node, ast.JoinedStr)
        }
        for node in nodes:
            if isinstance(node, (ast.Constant, ast.JoinedStr)) and node not in within:
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "word" for part in parts)
                if "`--" in text and "\n" not in text and not text.startswith(("`--", "Options")):
                    found += 1
                    assert "`--" not in worded(text), f"{file}: {text}"
    assert found > 30


def test_flags_are_the_options_without_a_value() -> None:
    import click

    from archspec.cli.main import COMMANDS, cli

    context = click.Context(cli)
    commands = [command for name in COMMANDS if (command := cli.get_command(context, name)) is not None]
    flags = {
        name.removeprefix("--")
        for command in commands
        for each in command.params
        if isinstance(each, click.Option) and each.is_flag
        for name in each.opts
        if name.startswith("--")
    }
    assert flags >= FLAGS


NOUNS = (
    *("images", "classes", "layers", "files", "epochs", "models", "steps", "records"),
    *("workers", "parameters", "outputs", "networks", "runs", "views"),
)
COUNT = re.compile(r"\{(?![A-Z_.]+[:}])(?P<number>[^{}]+)\} (?:" + "|".join(NOUNS) + r")\b(?![/(])")
NO_COUNTS = {"part", "part.name", "kind", "then['images']:,", "fingerprint['images']:,"}
"""Words before the noun, and numbers after `there were`."""
NEVER_ONE = {
    "len(graph.layers):,",
    "len(layers):,",
    "self.budget.layers:,",
    "count:,",
    "len(self.changes):,",
    "len(order)",
    "len(nodes)",
    "count",
    "data['least']",
}
"""Numbers that exceed a limit."""


def test_every_count_of_things_may_be_one() -> None:
    """`1 image`, not `1 images`: numbers in front of a plural go through `counted`."""
    found = set()
    for file in [*Path(archspec.__file__).parent.rglob("*.py"), *Path(cli.__file__).parent.rglob("*.py")]:
        if "labs" in file.parts:  # whose numbers are settings of an experiment
            continue
        for line in file.read_text().splitlines():
            found |= {each["number"] for each in COUNT.finditer(line) if '"""' not in line}
    assert found - NO_COUNTS - NEVER_ONE == set()
