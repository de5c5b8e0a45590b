"""What tests read of an export, and its programs in the process of the tests."""

from __future__ import annotations

import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest


def described(version: Path) -> dict[str, Any]:
    """Its export.json."""
    found: dict[str, Any] = json.loads((version / "export.json").read_text())
    return found


def run_programs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converters and the verification run here, as processes import TensorFlow for seconds. No speed is measured."""

    def run(program: Path, request: Mapping[str, Any]) -> Any:
        timed = {"batches": [], "folders": request["folders"][:1]} if "folders" in request else {}
        found = runpy.run_path(str(program))["main"]({**request, **timed})
        return {**found, "archspec": False} if "archspec" in found else found

    for module in ("pixel_function", "verify"):
        monkeypatch.setattr(f"archspec.runtime.export.{module}.run_program", run)
