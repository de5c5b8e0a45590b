"""Format, lint, spelling and types, as set in pyproject.toml. `python -m tests.test_quality` runs mypy alone."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import archspec

ROOT = Path(__file__).parents[1]
PUBLIC_TYPES = ROOT / "tests" / "typing" / "api.py"
PLACES = ("archspec", "cli", "specs", "tests", "docs", "benchmarks")


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_finds_nothing(command: list[str]) -> None:
    done = _module("ruff", *command, "--no-cache", *PLACES, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_codespell_finds_nothing() -> None:
    done = _module("codespell_lib", cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_color_is_spelt_as_in_keras() -> None:
    """codespell accepts British spelling too."""
    british = "colo" + "ur"
    files = [file for place in PLACES for file in (ROOT / place).rglob("*") if file.suffix in (".py", ".md", ".yaml")]
    assert [str(file) for file in files if british in file.read_text(encoding="utf-8", errors="ignore").lower()] == []


@pytest.mark.slow
def test_mypy_finds_nothing(tmp_path: Path) -> None:
    done = check_types(tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_types_of_every_public_name_are_checked() -> None:
    text = PUBLIC_TYPES.read_text(encoding="utf-8")
    assert [name for name in archspec.__all__ if not re.search(rf"\barchspec\.{name}\b", text)] == []


def check_types(folder: Path) -> subprocess.CompletedProcess[str]:
    """mypy of a copy of the package, with cli/ and specs/ inside it as when it is installed, and of the benchmarks."""
    ignore = shutil.ignore_patterns("__pycache__", "*.npz")
    shutil.copytree(ROOT / "archspec", folder / "archspec", ignore=ignore)
    for part in ("cli", "specs"):
        shutil.copytree(ROOT / part, folder / "archspec" / part, ignore=ignore)
    benchmarks = [
        file for file in (ROOT / "benchmarks").glob("*.py") if not file.name.startswith("torch_")
    ]  # these need torch
    for file in (ROOT / "pyproject.toml", PUBLIC_TYPES, *benchmarks):
        shutil.copy(file, folder)
    files = sorted(file.name for file in (PUBLIC_TYPES, *benchmarks))
    return _module("mypy", "archspec", *files, "--cache-dir", str(ROOT / ".mypy_cache"), cwd=folder)


def _module(name: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", name, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        result = check_types(Path(temporary))
    print(result.stdout, end="")
    sys.exit(result.returncode)
