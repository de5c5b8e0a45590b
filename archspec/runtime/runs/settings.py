"""`run.json` of a run, read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.runs.train_config import TrainConfig

HELP = "give a run directory that `archspec train` wrote"


def read_settings(run: Path) -> tuple[dict[str, Any], TrainConfig]:
    """run.json, and the settings of `train` in it.

    Raises:
        ArchspecError: `not-a-run`.
    """
    path = run / "run.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        for key in ("reference", "name", "resumed", "finished", "interrupted", "devices", "threads", "versions"):
            settings[key]
        for part in ("training", "validation"):
            settings["fingerprints"][part]["images"], settings["fingerprints"][part]["sha256"]
        return settings, TrainConfig.from_json(settings)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail("not-a-run", f"`{run}` is not a run directory: cannot read run.json: {reason}", help=HELP) from error
    except (ValueError, KeyError, TypeError, AttributeError, ArchspecError) as error:
        message = f"`{path}` was written by an incompatible version of archspec"
        raise fail("not-a-run", message, help=HELP) from error


def is_finished(settings: Mapping[str, Any]) -> bool:
    """Whether the run has finished, without a signal or an error."""
    return bool(settings["finished"]) and not settings["interrupted"] and "errors" not in settings
