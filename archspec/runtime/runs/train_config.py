"""The settings of a training run, which run.json keeps so that the run can be resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archspec.diagnostics import ArchspecError, fail, listed
from archspec.lang.recipes.recipe import Recipe, recipe_json
from archspec.lang.recipes.recipe import recipe as recipe_of
from archspec.runtime.runs.run_directory import SPEC, is_unfinished_start


@dataclass(frozen=True)
class TrainConfig:
    """The options of `train` that determine the result, besides the network and the devices."""

    data: str
    recipe: Recipe
    seed: int = 0
    validation_split: float | None = None
    skip_bad_images: bool = False
    init_from: str | None = None
    init_map: Sequence[str] = ()
    adapt_input: bool = False
    checkpoint_every: str | None = None
    deterministic: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "recipe": recipe_json(self.recipe)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrainConfig:
        """From the contents of run.json. Raises KeyError, TypeError, ValueError or AttributeError."""
        data = {"adapt_input": False, **data}  # missing in files of archspec 0.1.0
        given = {field.name: data[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**given, "recipe": recipe_of(data["recipe"])})

    @property
    def data_arguments(self) -> tuple[str, ...]:
        """The arguments of `evaluate` that name the run's validation images."""
        found = ["--data", self.data]
        if self.validation_split is not None:
            found += ["--validation-split", f"{self.validation_split:g}", "--seed", str(self.seed)]
        return (*found, *(["--skip-bad-images"] if self.skip_bad_images else []))


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
        if is_unfinished_start(run):
            raise fail(
                "not-a-run",
                f"the run in `{run}` was stopped before its first step, so there is nothing to resume",
                help=f"start it again with `-o {run}`",
            ) from error
        reason = (error.strerror or str(error)).lower()
        raise fail("not-a-run", f"`{run}` is not a run directory: cannot read run.json: {reason}", help=HELP) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise fail("not-a-run", f"`{path}` is damaged: {error}", help=HELP) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ArchspecError) as error:
        raise fail("not-a-run", f"`{path}` was written by an incompatible version of archspec", help=HELP) from error


def refuse_other_options(run: Path, spec: str, config: TrainConfig) -> None:
    """Check that a run was started with this spec and these options of `train`.

    The place of the data and the times of checkpoints may change.

    Raises:
        ArchspecError: `output-exists` if it was not, `not-a-run`.
    """
    _, then = read_settings(run)
    given, started = (json.loads(json.dumps(each.to_json(), default=str)) for each in (config, then))
    other = [name for name in given if given[name] != started[name] and name not in ("data", "checkpoint_every")]
    with contextlib.suppress(OSError, ValueError):  # which `resume` reports
        if (run / SPEC).read_text(encoding="utf-8") != spec:
            other.insert(0, "spec")
    if other:
        raise fail(
            "output-exists",
            f"the run in `{run}` was started with another {listed(other)}",
            help="give the same options to resume it, choose another `--out`, or replace it with `--overwrite`",
        )


def is_finished(settings: Mapping[str, Any]) -> bool:
    """Whether the run has finished, without a signal or an error."""
    return bool(settings["finished"]) and not settings["interrupted"] and "errors" not in settings
