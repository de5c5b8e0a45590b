"""The checkpoints of a run: when one is due, which are kept, and how variables are captured and restored.

RUN/checkpoints/step-000001200.safetensors is named after its step. The last two are kept, so that a run can be resumed
even if the newest is damaged.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.runtime.system.atomic_write import discard, flush_folder, os_errors
from archspec.runtime.training.records.checkpoint_file import (
    Checkpoint,
    DamagedCheckpointError,
    read_checkpoint,
    write_checkpoint,
)

FOLDER = "checkpoints"
KEPT = 2
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class CheckpointInterval:
    """How often to write a checkpoint inside an epoch: in steps or seconds; never if both are None."""

    steps: int | None = None
    seconds: float | None = None


def parse_interval(text: str | None) -> CheckpointInterval:
    """Parse `500steps`, `90s`, `10m` or `2h`; None means only at the end of each epoch.

    Raises:
        ArchspecError: `checkpoint-every`.
    """
    if text is None:
        return CheckpointInterval()
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(steps?|s|m|h)\s*", text)
    number = float(match[1]) if match else 0.0
    if not match or not number or (match[2].startswith("step") and not number.is_integer()):
        message = f"`{text}` is not a number of steps or a time"
        raise fail("checkpoint-every", message, help="give `500steps`, `90s`, `10m` or `2h`")
    if match[2].startswith("step"):
        return CheckpointInterval(steps=int(number))
    return CheckpointInterval(seconds=number * SECONDS[match[2]])


class Checkpoints:
    """The folder of a run's checkpoints. `clock` returns seconds."""

    def __init__(self, run: Path, every: CheckpointInterval, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = run / FOLDER
        self.every = every
        self._clock = clock
        self._written = clock()

    def due(self, step: int) -> bool:
        """Whether to write a checkpoint after a step of the run, from 1; one is also written after each epoch."""
        if self.every.steps is not None:
            return step % self.every.steps == 0
        return self.every.seconds is not None and self._clock() - self._written >= self.every.seconds

    def save(self, step: int, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then remove all but the last two.

        Raises:
            ArchspecError: `cannot-write`; earlier checkpoints are kept.
        """
        with os_errors(self.folder):
            if not self.folder.is_dir():
                self.folder.mkdir(exist_ok=True)
                flush_folder(self.folder.parent)
        path = self.folder / f"step-{step:09}.safetensors"
        write_checkpoint(path, checkpoint)
        self._written = self._clock()
        for old in files(self.folder.parent)[KEPT:]:
            discard(old)
        return path


def files(run: Path) -> list[Path]:
    """The checkpoint files of a run, newest first."""
    return sorted((run / FOLDER).glob("step-*.safetensors"), reverse=True)


def latest(run: Path, note: Callable[[str], None]) -> Checkpoint:
    """The newest valid checkpoint of a run; `note` is called with a line about each damaged one.

    Raises:
        ArchspecError: `no-checkpoint`.
    """
    reasons = []
    for path in files(run):
        try:
            checkpoint = read_checkpoint(path)
        except DamagedCheckpointError as damaged:
            reasons.append(f"`{path}` cannot be used: {damaged}")
            continue
        for reason in reasons:
            note(f"{reason}; resuming from `{path.name}`")
        return checkpoint
    message = f"`{run}` has no valid checkpoint"
    raise fail("no-checkpoint", message, notes=reasons, help="start a new run with `archspec train`")


def capture(variables: Sequence[Any]) -> dict[str, npt.NDArray[Any]]:
    """Copies of the values of Keras or TensorFlow variables, by their paths, in order."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for variable in variables:
        path = getattr(variable, "path", None) or variable.name
        name, number = path, 2
        while name in arrays:
            name, number = f"{path}#{number}", number + 1
        arrays[name] = np.array(variable.numpy())
    return arrays


def sizes(variables: Sequence[Any]) -> npt.NDArray[np.float32]:
    """The mean absolute value of each variable, float32 (variables,), to compare sets of weights."""
    arrays = capture(variables).values()
    return np.array([np.abs(each.astype(np.float64)).mean() if each.size else 0 for each in arrays], np.float32)


def restore(variables: Sequence[Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Assign the values of a checkpoint to variables, by their order, on every replica.

    Raises:
        ArchspecError: `checkpoint-differs` if shapes, types or the number differ; then no variable is changed.
    """
    values = list(arrays.items())
    differing = [
        f"`{name}` is {value.dtype} {value.shape}, but {variable.dtype} {tuple(variable.shape)} in the network"
        for variable, (name, value) in zip(variables, values, strict=False)
        if tuple(variable.shape) != value.shape or np.dtype(_dtype_name(variable)) != value.dtype
    ]
    if len(values) != len(variables):
        differing.insert(0, f"it has {len(values)} variables, but the network and its optimizer have {len(variables)}")
    if differing:
        message = "the checkpoint belongs to another network or optimizer"
        help = "do not change spec.yaml or run.json of a run; start a new run instead"
        raise fail("checkpoint-differs", message, notes=differing[:3], help=help)
    for variable, (_, value) in zip(variables, values, strict=True):
        variable.assign(value)


def _dtype_name(variable: Any) -> Any:
    """Keras has names of types, TensorFlow objects; NumPy does not know the name bfloat16."""
    dtype = getattr(variable.dtype, "name", variable.dtype)
    if dtype == "bfloat16":
        import ml_dtypes

        return ml_dtypes.bfloat16
    return dtype


def non_finite(arrays: Mapping[str, npt.NDArray[Any]]) -> list[str]:
    """Names of the arrays that contain NaN or infinity."""
    return [name for name, array in arrays.items() if array.dtype.kind not in "iub" and not np.isfinite(array).all()]
