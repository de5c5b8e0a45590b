"""What tests read of an export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def described(version: Path) -> dict[str, Any]:
    """Its export.json."""
    found: dict[str, Any] = json.loads((version / "export.json").read_text())
    return found
