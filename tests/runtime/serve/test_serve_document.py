"""The clients of docs/serve.md, called as they stand there."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from archspec.cli.commands.serve import command
from tests.cli.parsed import parsed
from tests.runtime.serve.conftest import Exports
from tests.runtime.serve.running import Running, running

TEXT = (Path(__file__).parents[3] / "docs" / "serve.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8501"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, exports: Exports) -> Path:
    """photo.jpg, a.jpg and b.png."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("photo.jpg", "a.jpg"):
        shutil.copy(exports.folder / "images" / "b.jpg", folder / name)
    shutil.copy(exports.folder / "images" / "a.png", folder / "b.png")
    return folder


@pytest.fixture(scope="module")
def named(exports: Exports) -> Iterator[Running]:
    with running(exports.saved("litert"), name="served") as found:
        yield found


def test_the_curl_commands_work(named: Running, photos: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = "".join(block for block in blocks("sh") if "curl" in block).replace("\\\n", " ").splitlines()
    assert len(lines) == 5
    for line in lines:
        shell = line.replace(ADDRESS, f"http://127.0.0.1:{named.port}").replace(
            "curl ", "curl -sS --fail-with-body ", 1
        )
        done = subprocess.run(["sh", "-c", shell], cwd=photos, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, ""), (line, done.stdout)
        assert '"error":null' in done.stdout or '"predictions"' in done.stdout or '"metadata"' in done.stdout


def test_the_python_client_prints_the_class(named: Running, photos: Path, exports: Exports) -> None:
    (code,) = blocks("python")
    expected = exports.predicted()["b.jpg"][0]
    before, out = Path.cwd(), io.StringIO()
    os.chdir(photos)
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(code.replace(ADDRESS, f"http://127.0.0.1:{named.port}"), "client", "exec"), {})
    finally:
        os.chdir(before)
    name, probability = out.getvalue().split()
    assert name == expected[0]
    assert float(probability) == pytest.approx(expected[1], abs=1e-6)


def test_the_document_names_options_that_exist() -> None:
    options = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
    named = set(re.findall(r"`(--[a-z-]+)", TEXT)) - {"--outputs", "--overwrite"}  # of `archspec export`
    assert named - options == set()
    assert {"--max-request", "--queue", "--label", "--threads"} < named
    for line in re.findall(r"^archspec (serve [^#\n]+)", "\n".join(blocks("sh")), re.MULTILINE):
        assert parsed(command, line)["port"] in (8000, 8501)
