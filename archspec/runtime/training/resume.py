"""Reads the directory of a run that is to be resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec.diagnostics import fail
from archspec.runtime.runs.run_directory import remove_leftovers
from archspec.runtime.runs.settings import HELP
from archspec.runtime.training.records.checkpoint import files, latest
from archspec.runtime.training.records.checkpoint_file import Checkpoint


@dataclass(frozen=True)
class ResumedRun:
    """run.json, spec.yaml and the newest valid checkpoint of a run; None if it was killed before the first one."""

    settings: Mapping[str, Any]
    spec: str
    checkpoint: Checkpoint | None

    def updated_settings(self, machine: Mapping[str, Any], now: str, note: Callable[[str], None]) -> dict[str, Any]:
        """The new contents of run.json.

        Args:
            machine: devices, processor, threads and versions. The results of the resumed run agree with those of an
                uninterrupted one to rounding only when one of them has changed.
            now: of `timestamp`.
            note: called with a line for each key that has changed.
        """
        before = {**self.settings, **(self.settings["resumed"][-1] if self.settings["resumed"] else {})}
        for key in machine:
            if key in before and before[key] != machine[key]:  # earlier versions did not record the processor
                note(
                    f"{key} changed from {_text(before[key])} to {_text(machine[key])}: "
                    "results will agree with those of an uninterrupted run to rounding only"
                )
        settings = {key: value for key, value in self.settings.items() if key not in ("errors", "interrupted")}
        return {**settings, "resumed": [*self.settings["resumed"], {"at": now, **machine}]}


def read_run(directory: Path, settings: Mapping[str, Any], note: Callable[[str], None], *, clean: bool) -> ResumedRun:
    """The state of a run on the disk. `clean` removes files that a killed process has left half-written.

    Raises:
        ArchspecError: `not-a-run`, `no-checkpoint`.
    """
    try:
        spec = (directory / "spec.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        if (directory / "page.yaml").exists():
            message = f"`{directory}` was written by an incompatible version of archspec"
            raise fail("not-a-run", message, help="start a new run") from error
        raise fail("not-a-run", f"cannot read spec.yaml in `{directory}`", help=HELP) from error
    checkpoint = latest(directory, note) if files(directory) else None
    if clean:
        remove_leftovers(directory)
    return ResumedRun(settings, spec, checkpoint)


def _text(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{name} {each}" for name, each in value.items())
