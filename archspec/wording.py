"""How messages name an option: `--init-map MAP` on the command line, `init_map="MAP"` in Python.

Messages are written with the options of the command line, in backticks: ``give `--init-map TARGET=SOURCE` ``. A call
from Python sees the argument of the function instead, since every option and its argument have the same name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

OPTION = r"`(archspec [a-z-]+ )?(?:--([a-z][a-z-]*)|-o)(?: ([^`]+))?`"
FLAGS = {
    "adapt-input",
    "dense",
    "deterministic",
    "ensemble",
    "mlflow",
    "optimize",
    "overwrite",
    "present-classes",
    "resume-if-exists",
    "skip-bad-images",
}
"""Options without a value."""

_callers: list[str] = []
"""`command line` while a command runs; a list, since the threads of a command share it."""


@contextmanager
def command_line() -> Iterator[None]:
    """Within the context messages name the options of the command line."""
    _callers.append("command line")
    try:
        yield
    finally:
        _callers.pop()


def option(argument: str) -> str:
    """The name of an argument as the caller writes it, in backticks."""
    return f"`--{argument.replace('_', '-')}`" if _callers else f"`{argument}`"


def describes(function: str) -> str:
    """The remedy that leads to the description of a function's arguments."""
    return (
        "`--help` after the command describes its arguments"
        if _callers
        else f"`help({function})` describes its arguments"
    )


def worded(text: str) -> str:
    """A message with its options as the caller writes them."""
    return text if _callers or "`" not in text else re.sub(OPTION, _in_python, text)


def reporter(report: Callable[[str], None] | None) -> Callable[[str], None]:
    """A function that passes lines of progress on to `report`, with their options as the caller writes them."""
    return lambda line: None if report is None else report(worded(line))


def _in_python(found: re.Match[str]) -> str:
    given = re.split(" --", found[0].strip("`").removeprefix(found[1] or ""))
    return f"`{', '.join(_argument(*each.removeprefix('--').partition(' ')[::2]) for each in given)}`"


def _argument(name: str, value: str) -> str:
    """An option and its value as an argument."""
    if name == "set":
        key, _, setting = (_unquoted(value) or "NAME=VALUE").partition("=")
        python = _literal(setting, yaml=True)
        return f'**{{"{key}": {python}}}' if "." in key else f"{key}={python}"
    if name == "resume":
        return f"archspec.resume({_literal(value or 'RUN')})"
    argument = "out" if name == "-o" else name.replace("-", "_")
    if argument.startswith("no_"):  # `--no-verify`
        return f"{argument[3:]}=False"
    return f"{argument}={_literal(value)}" if value else f"{argument}=True" if name in FLAGS else argument


def _unquoted(text: str) -> str:
    return text[1:-1] if text[:1] == text[-1:] == "'" else text


def _literal(text: str, *, yaml: bool = False) -> str:
    """A value as Python writes it: `[null, 3]` -> `[None, 3]`, `'dense: 256'` -> `"dense: 256"`, `FILE` -> `"FILE"`."""
    import ast  # which a run without an error does not need

    with suppress(ValueError, SyntaxError):
        if not isinstance(ast.literal_eval(text), str):
            return text
    if yaml:
        from yaml import YAMLError, safe_load

        with suppress(YAMLError):
            return repr(safe_load(text)).replace("'", '"')
    return f'"{_unquoted(text)}"'
