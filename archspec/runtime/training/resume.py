"""An earlier run as it is found on the disk, to go on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, fail
from archspec.runtime.system.atomic_write import discard
from archspec.runtime.training.config import Job
from archspec.runtime.training.records.checkpoint import files, latest
from archspec.runtime.training.records.checkpoint_file import Checkpoint

HELP = "give the directory of a run that `archspec train` wrote"


@dataclass(frozen=True)
class Resumed:
    """run.json, page.yaml and the newest whole checkpoint of a run; None when it was killed before the first one."""

    settings: Mapping[str, Any]
    page: str
    checkpoint: Checkpoint | None

    def go_on(self, machine: Mapping[str, Any], now: str, note: Callable[[str], None]) -> dict[str, Any]:
        """The new run.json, with what may change the last bits in it; `note` is told of that."""
        before = {**self.settings, **(self.settings["resumed"][-1] if self.settings["resumed"] else {})}
        changed = [key for key in machine if before[key] != machine[key]]
        for key in changed:
            note(f"{key} were {_text(before[key])} before, and are {_text(machine[key])} now: the last bits may differ")
        settings = {key: value for key, value in self.settings.items() if key not in ("errors", "interrupted")}
        return {**settings, "resumed": [*self.settings["resumed"], {"at": now, **machine}]}


def read_settings(run: Path) -> tuple[dict[str, Any], Job]:
    """run.json, and the job in it.

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
        return settings, Job.from_json(settings)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise fail(
            "not-a-run", f"`{run}` is not the directory of a run: cannot read run.json: {reason}", help=HELP
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, ArchspecError) as error:
        message = f"`{path}` is not as this version of archspec writes it"
        raise fail("not-a-run", message, help=HELP) from error


def is_finished(settings: Mapping[str, Any]) -> bool:
    """Whether the run came to its end by itself, without an error."""
    return bool(settings["finished"]) and not settings["interrupted"] and "errors" not in settings


def find(run: Path, settings: Mapping[str, Any], note: Callable[[str], None], *, clean: bool) -> Resumed:
    """What to go on with; `clean` removes what a killed process has left half-written.

    Raises:
        ArchspecError: `not-a-run`, `no-checkpoint`.
    """
    try:
        page = (run / "page.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise fail("not-a-run", f"`{run}` has no page.yaml that can be read", help=HELP) from error
    checkpoint = latest(run, note) if files(run) else None
    for folder in (run, run / "checkpoints") if clean else ():
        for leftover in folder.glob(".*.tmp*"):
            discard(leftover)
    return Resumed(settings, page, checkpoint)


def _text(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {each}" for name, each in value.items())
