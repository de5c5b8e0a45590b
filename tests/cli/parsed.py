"""The options of a command line of the documents, without running it."""

from __future__ import annotations

import copy
import shlex
from typing import Any

import click


def parsed(command: click.Command, line: str) -> dict[str, Any]:
    """The parameters of `command` in a line that starts with its name. Raises click.UsageError for a wrong line.

    A command keeps the help option of its first use, another one without `archspec` before it: a copy is parsed.
    """
    name, *words = shlex.split(line)
    return copy.copy(command).make_context(name, words).params
