"""What may import what, and that checking and summarizing a page loads neither keras nor tensorflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ORDER = (
    "version",
    "specs",
    "diagnostics",
    "format",
    "declare",
    "plugins",
    "ops",
    "transforms",
    "protocols",
    "lang",
    "graph",
    "runtime",
    "api",
    "",
    "cli",
    "__main__",
)
"""The parts of archspec, each of which imports from itself and from those before it; "" is archspec/__init__.py."""
HEAVY = {"keras", "tensorflow"}
LAZY = {"api", "", "cli"}
"""Parts that import `runtime` inside functions only."""


class Import(NamedTuple):
    """An import in a file: the module, the names that are taken from it, and whether it waits for a call."""

    file: str
    line: int
    module: str
    names: tuple[str, ...]
    in_function: bool


def imports(file: str, text: str) -> Iterator[Import]:
    inside: set[ast.AST] = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        annotations_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if annotations_only or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            inside.update(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, (), node in inside)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            yield Import(file, node.lineno, node.module or "", tuple(each.name for each in node.names), node in inside)


def parts(each: Import) -> set[str]:
    """The parts of archspec that an import reaches."""
    module = each.module.split(".")
    if module[0] != "archspec":
        return set()
    if len(module) > 1:
        return {module[1]}
    return {name if name in ORDER else "" for name in each.names}


def wrong(part: str, each: Import) -> str | None:
    """Why an import in this part of archspec breaks the architecture, or None."""
    if each.module.split(".")[0] in HEAVY and part not in ("runtime", "api"):
        return "only runtime imports keras or tensorflow"
    for reached in parts(each):
        if ORDER.index(reached) > ORDER.index(part):
            return f"{part or 'archspec/__init__.py'} must not import {reached or 'archspec'}"
        if reached == "runtime" and part in LAZY and not each.in_function:
            return "runtime is imported inside functions only"
    return None


def files() -> Iterator[tuple[str, Path]]:
    """All modules, each with its part."""
    for file in sorted((ROOT / "archspec").rglob("*.py")):
        first = file.relative_to(ROOT / "archspec").parts[0]
        yield ("" if first == "__init__.py" else first.removesuffix(".py")), file
    for part in ("cli", "specs"):
        for file in sorted((ROOT / part).rglob("*.py")):
            yield part, file


def test_every_part_has_its_place() -> None:
    assert {part for part, _ in files()} == set(ORDER)


def test_imports_go_one_way() -> None:
    broken = {}
    for part, file in files():
        for each in imports(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")):
            reason = wrong(part, each)
            if reason:
                broken[f"{each.file}: {reason}"] = each.line
    assert broken == {}


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("ops", "from archspec.lang import source"),
        ("lang", "from archspec.graph.ir import Graph"),
        ("graph", "def f():\n    import archspec.runtime.models.build"),
        ("graph", "from archspec import api"),
        ("runtime", "from archspec import load"),
        ("api", "from archspec.runtime.models.build import build_model"),
        ("cli", "import archspec.runtime.training.train"),
        ("ops", "def build(self):\n    import keras"),
        ("cli", "def command():\n    from tensorflow import io"),
    ],
)
def test_a_wrong_import_is_seen(part: str, code: str) -> None:
    (each,) = imports("file.py", code)
    assert wrong(part, each)


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("lang", "from archspec.ops import OPS"),
        ("graph", "from archspec.graph.ir import Graph"),
        ("runtime", "def f():\n    import tensorflow as tf"),
        ("runtime", "from archspec.version import __version__"),
        ("api", "def f():\n    from archspec.runtime.models.build import build_model"),
        ("cli", "from archspec import api"),
        ("ops", "from kerassomething import layers"),
    ],
)
def test_a_right_import_is_let_through(part: str, code: str) -> None:
    (each,) = imports("file.py", code)
    assert wrong(part, each) is None


RUN = """
import sys
sys.path[:0] = {folders}
{before}
from archspec.cli.main import cli
for arguments in {commands}:
    cli.main(arguments, standalone_mode=False)
print(sorted({heavy} & set(sys.modules)), file=sys.stderr)
"""


def loaded_by(*commands: list[str], before: str = "", folders: tuple[str, ...] = ()) -> str:
    """Which of keras and tensorflow a fresh process has loaded after some code and these commands."""
    code = RUN.format(commands=list(commands), heavy=HEAVY, before=before, folders=folders)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1]


def test_static_commands_load_neither_keras_nor_tensorflow() -> None:
    bad = str(ROOT / "tests" / "examples" / "good" / "deep.yaml")
    commands = [
        ["check", "vgg", "resnet", bad],
        ["list", "resnet"],
        ["schema"],
        ["summarize", "vgg:D"],
        ["summarize", "resnet:50", "--format", "json"],
    ]
    assert loaded_by(*commands) == "[]"


def test_the_process_would_tell_if_they_were_loaded(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("")  # stands in for the real one, which takes seconds
    (tmp_path / "keras.py").write_text("")
    assert loaded_by(["schema"], before="import tensorflow", folders=(str(tmp_path),)) == "['tensorflow']"
    assert loaded_by(["schema"], before="from keras import __doc__", folders=(str(tmp_path),)) == "['keras']"
