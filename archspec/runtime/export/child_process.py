"""Run a program in a fresh Python process that imports nothing of archspec: its result, one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class ChildFailedError(Exception):
    """The process ended with an error, or without a result; the text is the end of what it printed."""


def run_program(program: Path, request: Mapping[str, Any]) -> Any:
    """Run `program REQUEST.json` with this Python; the last line that it prints is its result.

    What it prints besides, such as warnings of foreign packages, is dropped.

    Raises:
        ChildFailedError: with the last lines of its standard error.
    """
    # a child that is no use to anyone must not outlive this process: it ends when its work does
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(dict(request)), encoding="utf-8")
        command = [sys.executable, "-P", str(program), str(path)]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
        ) as child:
            try:
                out, err = child.communicate()
            except BaseException:
                child.kill()
                raise
    lines = out.strip().splitlines()
    if child.returncode or not lines:
        raise ChildFailedError(_last_lines(err) or f"exit status {child.returncode}")
    try:
        return json.loads(lines[-1])
    except ValueError:
        raise ChildFailedError(_last_lines(err) or lines[-1][:300]) from None


def _last_lines(text: str) -> str:
    """The last line of a traceback, which names the error, at most 500 characters."""
    lines = [line for line in text.strip().splitlines() if line and not line.startswith((" ", "I0", "W0", "E0"))]
    return lines[-1][:500] if lines else ""
