"""An earlier run as it is found on the disk, to go on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.runs.settings import HELP
from archspec.runtime.system.atomic_write import discard
from archspec.runtime.training.records.checkpoint import files, latest
from archspec.runtime.training.records.checkpoint_file import Checkpoint


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
