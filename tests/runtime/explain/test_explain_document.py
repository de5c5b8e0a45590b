"""The commands and the pictures of docs/explain.md."""

from __future__ import annotations

import re
from pathlib import Path

import click

from archspec.cli.commands.evaluate import command as evaluate
from archspec.cli.commands.explain import METHODS, command
from archspec.runtime.explain import EXPLAIN_METHODS
from tests.cli.parsed import parsed

DOCUMENT = Path(__file__).parents[3] / "docs" / "explain.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_every_command_can_be_parsed() -> None:
    lines = re.findall(r"^archspec explain ([^#\n]+)", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.S)), re.M)
    methods = set()
    for line in lines:
        name = line.split()[0]
        assert parsed(command.commands[name], line)["out"], line  # type: ignore[attr-defined]
        methods.add(name)
    assert len(lines) > 12
    assert methods == set(METHODS)


def test_the_command_that_draws_mistakes_can_be_parsed() -> None:
    (line,) = re.findall(r"^archspec (evaluate .+)$", TEXT, re.M)
    given = parsed(evaluate, line)
    assert EXPLAIN_METHODS[given["explain"]].takes == "images"
    assert given["out"]


def test_every_method_with_a_caveat_is_named_in_it() -> None:
    section = TEXT.partition("## Which pictures depend on the weights")[2].partition("\n## ")[0]
    for name, method in METHODS.items():
        assert "Adebayo" not in method.caveat or f"`{name}`" in section


def test_every_option_has_whole_sentences() -> None:
    for method in command.commands.values():  # type: ignore[attr-defined]
        for parameter in method.params:
            if isinstance(parameter, click.Option) and parameter.name != "help":
                assert parameter.help
                assert parameter.help[0].isupper()
