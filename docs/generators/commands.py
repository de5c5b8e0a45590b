"""docs/commands.md and the output of commands in README.md, from the command line."""

from __future__ import annotations

import re
import shlex

import click

from archspec.cli.main import COMMANDS, cli
from generators.pages import DOCS, NOTICE


def commands() -> str:
    """docs/commands.md."""
    parts = [NOTICE, "# Commands\n", f"```text\n{_help(cli, 'archspec', None)}\n```\n"]
    context = click.Context(cli, info_name="archspec", **cli.context_settings)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        parts.append(f"## archspec {name}\n\n```text\n{_help(command, name, context)}\n```\n")
        if isinstance(command, click.Group):
            inside = click.Context(command, info_name=name, parent=context)
            for each, below in command.commands.items():
                parts.append(f"### archspec {name} {each}\n\n```text\n{_help(below, each, inside)}\n```\n")
    return "\n".join(parts)


def _help(command: click.Command, name: str, parent: click.Context | None) -> str:
    settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    with click.Context(command, info_name=name, parent=parent, **settings) as context:
        return command.get_help(context)


def readme() -> str:
    """README.md with the output of the `$ archspec ...` at the top of a text block updated."""
    from click.testing import CliRunner

    def run(match: re.Match[str]) -> str:
        result = CliRunner(env={"COLUMNS": None}).invoke(cli, shlex.split(match[1]))
        return f"```text\n$ archspec {match[1]}\n{result.output.rstrip()}\n```" if result.exit_code == 0 else match[0]

    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    return re.sub(r"```text\n\$ archspec (summarize [^\n]*)\n.*?\n```", run, text, flags=re.DOTALL)
