"""The request of `train` or `resume`: what to train, how and where, and the state of a run that is resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from archspec.diagnostics import Diagnostic, fail, listed
from archspec.graph.ir import Graph
from archspec.lang.recipes.recipe import EvaluationRecipe, Recipe
from archspec.runtime.distributed.cluster import Cluster
from archspec.runtime.distributed.strategy import Devices
from archspec.runtime.runs.run_directory import remove_leftovers
from archspec.runtime.runs.train_config import HELP, TrainConfig

if TYPE_CHECKING:
    import keras

    from archspec.runtime.training.records.checkpoint import Checkpoint
    from archspec.runtime.training.records.progress import TrainingProgress


class Trainable(Protocol):
    """A network with its recipe: `archspec.Network`."""

    @property
    def name(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def protocol(self) -> EvaluationRecipe: ...
    @property
    def preprocess(self) -> tuple[Any, ...]: ...
    def graph(self) -> Graph: ...
    def build(self) -> keras.Model: ...
    def resolved_text(self) -> str: ...
    def warnings(self, side: int | None = None) -> list[Diagnostic]: ...


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
            raise fail(
                "not-a-run", f"`{directory}` was written by an incompatible version of archspec", help="start a new run"
            ) from error
        raise fail("not-a-run", f"cannot read spec.yaml in `{directory}`", help=HELP) from error
    from archspec.runtime.training.records.checkpoint import files, latest

    checkpoint = latest(directory, note) if files(directory) else None
    if clean:
        remove_leftovers(directory)
    return ResumedRun(settings, spec, checkpoint)


def _text(value: Any) -> str:
    return listed(f"{name} {each}" for name, each in value.items()) if isinstance(value, Mapping) else str(value)


@dataclass(frozen=True)
class RunRequest:
    """The request of `train` or `resume`: what to train, how and where."""

    network: Trainable
    config: TrainConfig
    directory: Path
    progress: TrainingProgress
    devices: Devices = None
    cluster: Cluster | None = None
    mlflow: bool = False
    overwrite: bool = False
    generated_name: bool = False
    """Whether the name of the directory was generated; all workers then use the chief's."""
    resumed: ResumedRun | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the files."""
        return not self.cluster or self.cluster.is_chief

    @property
    def spec(self) -> str:
        """The resolved spec, YAML."""
        return self.resumed.spec if self.resumed else self.network.resolved_text()

    @property
    def reference(self) -> str:
        return str(self.resumed.settings["reference"]) if self.resumed else self.network.reference
