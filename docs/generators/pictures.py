"""The pictures in docs/gallery, made by the commands in docs/gallery.md."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import archspec
from archspec.cli.main import cli
from generators.pages import DOCS


def pictures() -> Iterator[tuple[str, Callable[[], str]]]:
    """The pictures of docs/gallery.md, each with a function that makes its SVG by the command above it."""
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    for line in re.findall(r"^archspec draw (.* -o \S+\.svg.*)$", text, re.MULTILINE):
        words = shlex.split(line)
        yield f"gallery/{words[words.index('-o') + 1]}", partial(_picture, words)
    for line, folder in re.findall(r"^archspec compare (.*) -o (\S+)$", text, re.MULTILINE):
        for name in re.findall(rf'"gallery/{folder}/([\w-]+)\.svg"', text):
            yield f"gallery/{folder}/{name}.svg", partial(_compared, tuple(line.split()), name)


def _compared(references: tuple[str, ...], name: str) -> str:
    return archspec.compare(*references).pictures[name].svg()


def _picture(words: list[str]) -> str:
    place = words.index("-o") + 1
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        file = Path(folder, words[place])
        cli.main(["draw", *words[:place], str(file), *words[place + 1 :]], standalone_mode=False)
        return file.read_text(encoding="utf-8")
