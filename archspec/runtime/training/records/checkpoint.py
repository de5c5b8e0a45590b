"""The checkpoints of a run: their files, when one is due, which are kept, and how variables are captured and restored.

RUN/checkpoints/step-000001200.safetensors is named after its step. The last two are kept, so that a run can be resumed
even if the newest is damaged. A file has the safetensors format, with the state of the run and a checksum in its
metadata. The checksum is SHA-256 over the state and all arrays, so that a file that was cut short or damaged is
rejected. Nothing in a checkpoint is ever executed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archspec.diagnostics import fail
from archspec.runtime.models.metrics import MetricSums
from archspec.runtime.system.atomic_write import atomic, discard, flush_folder, os_errors


@dataclass(frozen=True)
class ProgressState:
    """Some epochs are finished, and `done` steps of the next one."""

    epoch: int = 0
    """Finished epochs, their validation included."""
    done: int = 0
    """Finished steps of the current epoch."""
    metrics: MetricSums = MetricSums()
    """Sums over those steps."""
    learning_rate: float = 0.0
    """Learning rate of the last step."""
    seconds: float = 0.0
    """Time spent on those steps."""
    stopped: bool = False
    """Whether early stopping has ended the run."""

    def step(self, steps_per_epoch: int) -> int:
        """Steps since the start of the run."""
        return self.epoch * steps_per_epoch + self.done

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProgressState:
        metrics = data["metrics"]
        return cls(**{**data, "metrics": MetricSums(**{**metrics, "counts": tuple(metrics.get("counts", ()))})})


FORMAT = "archspec checkpoint 2"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a step: the arrays of its variables by name, in order, and everything else as JSON."""

    arrays: Mapping[str, npt.NDArray[Any]]
    state: Mapping[str, Any]


class DamagedCheckpointError(Exception):
    """A file is not a valid checkpoint; the message is a phrase such as "its checksum is wrong"."""


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; it is on the disk when this returns.

    Raises:
        ArchspecError: `cannot-write`.
    """
    from safetensors.numpy import save_file

    # the library writes the memory of an array as it is; ascontiguousarray would make a vector of a scalar
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    state = json.dumps(checkpoint.state)
    metadata = {
        "format": FORMAT,
        "state": state,
        # safetensors sorts the names
        "arrays": json.dumps([(name, array.dtype.name) for name, array in arrays.items()]),
        "sha256": _digest(state, arrays),
    }
    # the library's NumPy interface has no bfloat16
    stored = {
        name: array.view(np.uint16) if array.dtype.name == "bfloat16" else array for name, array in arrays.items()
    }
    with atomic(path) as temporary:
        save_file(stored, temporary, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file and verify its checksum.

    Raises:
        DamagedCheckpointError: the file is missing, damaged, or not a checkpoint of this format.
    """
    import ml_dtypes  # a dependency of Keras, which has the type that NumPy lacks
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load

    try:
        tensors = load(path.read_bytes())
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        if metadata["format"] != FORMAT:
            raise DamagedCheckpointError("it was written by an incompatible version of archspec")
        types = {"bfloat16": ml_dtypes.bfloat16}
        arrays = {
            name: tensors.pop(name).view(types.get(dtype, dtype)) for name, dtype in json.loads(metadata["arrays"])
        }
        if tensors or _digest(metadata["state"], arrays) != metadata["sha256"]:
            raise DamagedCheckpointError("its checksum is wrong")
        return Checkpoint(arrays, json.loads(metadata["state"]))
    except OSError as error:
        raise DamagedCheckpointError((error.strerror or str(error)).lower()) from error
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError("it is damaged, or not a checkpoint of archspec") from error


def _digest(state: str, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    entries = [(name, array.dtype.name, array.shape) for name, array in arrays.items()]
    digest = hashlib.sha256(json.dumps([FORMAT, state, entries]).encode())
    for array in arrays.values():
        digest.update(array.tobytes())
    return digest.hexdigest()


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
        raise fail(
            "checkpoint-every",
            f"`{text}` is not a number of steps or a time",
            help="give `500steps`, `90s`, `10m` or `2h`",
        )
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
    raise fail(
        "no-checkpoint", f"`{run}` has no valid checkpoint", notes=reasons, help="start a new run with `archspec train`"
    )


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
        raise fail(
            "checkpoint-differs",
            "the checkpoint belongs to another network or optimizer",
            notes=differing[:3],
            help="do not change spec.yaml or run.json of a run; start a new run instead",
        )
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
